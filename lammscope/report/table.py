"""Tables of the report as plain records, with formatted numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.core.names import ALPHA, LAMM_SCORE
from lammscope.core.verdicts import OTHERWISE
from lammscope.core.words import (
    NOTHING,
    denominator_words,
    p_words,
    population_words,
    readable,
    write_number,
)
from lammscope.report.order import order_rows, population_order
from lammscope.report.table_cells import (
    Cell,
    Cells,
    beside,
    effect_cells,
    p_with,
    size_cells,
    verdict_cells,
    with_notes,
    worst_left_out,
    write_cell,
)

FEW_ROWS = 20  # up to which a table needs no filters
MOST_CHOICES = 30  # of a filter
SAME = ("estimate", "ci_low", "ci_high", "p", "verdict")  # in rows that are one result


@dataclass(frozen=True)
class Column:
    """A column of a report table.

    Attributes
    ----------
    key
        Column of the frame.
    label
        Heading.
    kind
        Format: `text`, `name`, `words`, or a kind of `write_number`. Cells that are made already
        (`table_cells`) are taken as they are.
    help
        Hint on the heading.
    more
        Whether it is shown only on request, and not printed.
    choice
        Whether a long table can be filtered by its values.
    constant
        Whether it becomes a line above the table if all rows have the same value.
    """

    key: str
    label: str
    kind: str = "text"
    help: str = ""
    more: bool = False
    choice: bool = False
    constant: bool = False


@dataclass(frozen=True)
class Choice:
    """A filter of a table: place and heading of its column, and values with their rows."""

    place: int
    label: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Table:
    """A table of the report; `file` is the path of all its numbers in the results folder."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    file: str = ""

    @property
    def has_more(self) -> bool:
        """Whether some columns are shown only on request."""
        return any(column.more for column in self.columns)

    @property
    def hints(self) -> list[Column]:
        """The columns that are explained."""
        return [column for column in self.columns if column.help]

    @property
    def choices(self) -> list[Choice]:
        """The filters of a long table, with their values as they are sorted."""
        if len(self.rows) <= FEW_ROWS:
            return []
        filters = []
        for place, column in enumerate(self.columns):
            counts: dict[str, int] = {}
            if column.choice:
                for cell in sorted((row[place] for row in self.rows), key=lambda cell: cell.sort):
                    name = cell.group or cell.text
                    counts[name] = counts.get(name, 0) + 1
            if 1 < len(counts) <= MOST_CHOICES:
                filters.append(Choice(place, column.label, tuple(counts.items())))
        return filters


def build_table(
    frame: pd.DataFrame, columns: Sequence[Column], *, caption: str = "", file: str = ""
) -> Table:
    """Build a table of the columns that `frame` has and that are not empty; others are left out.

    Columns that may be `constant`, and are, become part of the caption.
    """
    lines = [caption] if caption else []
    present, written = [], []
    for place, column in enumerate(column for column in columns if column.key in frame):
        cells = [write_cell(value, column.kind) for value in frame[column.key]]
        texts = {(cell.text, cell.note) for cell in cells}
        if place and texts == {(NOTHING, "")}:
            continue
        if column.constant and len(cells) > 1 and len(texts) == 1:
            hint = f" ({column.help})" if column.help else ""
            lines.append(f"{column.label}{hint}: {cells[0].text} in all rows.")
            continue
        present.append(column)
        written.append(cells)
    return Table(tuple(present), tuple(zip(*written, strict=True)), " ".join(lines), file)


def without_doubles(rows: pd.DataFrame, *, level: str) -> tuple[pd.DataFrame, str]:
    """Leave out rows of the configured LAMM level that repeat those of LAMM, and say so.

    Parameters
    ----------
    rows
        Results with `population`, `denominator`, `scale` and `SAME`; `contrast` if there are
        several.
    level
        `lamm.level` in the config.

    Returns
    -------
    tuple
        The other rows, and a sentence; "" if none was left out.
    """
    keys = [key for key in ("contrast", "denominator", "scale") if key in rows]
    values = rows[[*keys, *SAME]].itertuples(index=False, name=None)
    known = pd.Series([str(line) for line in values], index=rows.index)
    name = f"LAMM_{level}"
    doubled = rows["population"].eq(name) & known.isin(known[rows["population"] == "LAMM"])
    if not doubled.any():
        return rows, ""
    words = readable(level)
    return rows[~doubled], f"LAMM means the {words} level here, so its rows are not given twice."


MODEL = "patient-level linear model; each arm has its own variance, pairs and trends have one"
ABUNDANCE_COLUMNS = (
    Column("population", "Population", "name", choice=True),
    Column("verdict", "Verdict", "words", choice=True),
    Column("denominator", "Fraction", "text", choice=True),
    Column("effect", "{ratio} (95 % CI)", "ratio", "exponential of the logit estimate"),
    Column("p", "p", "p", MODEL),
    Column("corrected", "FDR or Holm's p", "p", "false discovery rate (Benjamini-Hochberg) within "
           "contrast and denominator; of LAMM rows Holm's p, over all but the primary one"),
    Column("p_permutation", "p, permutation", "p", "assumes no distribution"),
    Column("means", "{mean}, {reference} / {test}", "number"),
    Column("n", "n", "number", "{sizes}", constant=True),
    Column("left_out", "p, one left out", "p", "largest p with one patient left out", True),
    Column(
        "p_incomplete", "p, incomplete", "p", "with patients who have only one side, by REML", True
    ),
    Column(
        "p_weighted", "p, weighted", "p", "with patients weighted by their number of cells", True
    ),
    Column("p_without", "p without another", "p",
           "in the denominator without the population that moved most", True),
    Column("p_arcsine", "p, arcsine", "p",
           "the same test on the arcsine scale, as a sensitivity check", True),
    Column("detectable", "Detectable", "ratio", "ratio found with power 0.80; for planning", True),
)  # fmt: skip
GENE_COLUMNS = (
    Column("symbol", "Gene"),
    Column("verdict", "Verdict", "words", choice=True),
    Column("cell_type", "Population", "name", choice=True),
    Column("effect", "log₂ fold change (95 % CI)", "signed"),
    Column("p", "p", "p"),
    Column("fdr", "FDR", "p", "Benjamini-Hochberg within the population"),
    Column("p_permutation", "p, permutation", "p", "computed where the FDR is below 0.05"),
    Column("left_out", "p, one left out", "p", "largest p with one patient left out", True),
    Column("mean_expression", "Mean log₂ CPM", "number", more=True),
    Column("n", "n", "number", "{sizes}", constant=True),
)
CLUSTER_COLUMNS = (
    Column("cluster", "Cluster", "count"),
    Column("cell_type", "Cell type", "name"),
    Column("n_cells", "Cells", "count"),
    Column("n_samples", "Samples", "count"),
    Column("pct_lamm", "LAMM", "percent", "of its cells, at the configured level"),
    Column("pct_uncertain", "Uncertain", "percent"),
    Column("top_markers", "Strongest markers", "words"),
    Column("lineage", "Lineage", "name", more=True),
    Column("score", "Score", "number", more=True),
    Column("margin", "Margin", "number", "lead over the runner-up", True),
    Column("runner_up", "Runner-up", "name", more=True),
)
CAR_COLUMNS = (
    Column("sample", "Sample"),
    Column("reading", "Interpretation", "words", choice=True),
    Column("phase", "Phase", choice=True),
    Column("n_t_cells", "T cells", "count"),
    Column("with_car", "T cells with CAR", "count", "at least one UMI"),
    Column("n_positive", "CAR-T cells", "count", "called from their transcripts and neighbors"),
    Column("n_unknown", "Unknown T cells", "count", "may be CAR-T cells; not tested"),
    Column("pct_missed", "CAR-T cells missed", "percent", "expected, of all CAR-T cells"),
    Column("n_other_with_car", "Other cells with CAR", "count", "ambient or engulfed RNA", True),
)
QC_COLUMNS = (
    Column("sample", "Sample"),
    Column("verdict", "Verdict", "words", choice=True),
    Column("n_cells", "Cells kept", "count"),
    Column("n_barcodes", "Barcodes", "count"),
    Column("median_counts", "Median UMIs", "count"),
    Column("median_genes", "Median genes", "count"),
    Column("median_pct_mt", "Median mitochondrial", "percent"),
    Column("pct_contamination", "Contamination", "percent", "UMIs that are ambient RNA"),
    Column("n_doublets", "Doublets", "count"),
    Column("sex", "Sex", "words", "by XIST and genes of chromosome Y"),
    Column("shared_barcodes", "Shares barcodes with", "text", "% of the smaller sample"),
    Column("n_ambient", "Ambient RNA", "count", "no cell", True),
    Column("n_low_counts", "Low counts", "count", more=True),
    Column("n_few_genes", "Few genes", "count", more=True),
    Column("n_high_mt", "High mitochondrial", "count", more=True),
    Column("n_high_hb", "High hemoglobin", "count", more=True),
    Column("n_high_counts", "High counts", "count", more=True),
    Column("n_dropped", "Left out", "count", "that pass, in samples that fail"),
    Column("sheet_sample", "In the sample sheet", "text", more=True),
)


def abundance_rows(
    abundance: pd.DataFrame, *, contrast: Contrast, level: str, first: str = "", file: str = ""
) -> Table:
    """Build the table of an abundance test, LAMM first, with odds ratios (ratios for log ratios).

    Rows on the arcsine scale are not listed; their p is a column. `level` is that of LAMM cells,
    whose rows are not repeated; the denominator `first` comes first.
    """
    keys = ["population", "denominator"]
    rows = order_rows(abundance[~abundance["scale"].isin(["arcsine", "mean"])], first=first)
    arcsine = abundance[abundance["scale"] == "arcsine"].set_index(keys)["p"]
    if len(arcsine):
        rows["p_arcsine"] = arcsine.reindex(pd.MultiIndex.from_frame(rows[keys])).to_numpy()
    rows, doubled = without_doubles(_drop_weighted(rows), level=level)
    is_ratio = rows["scale"] == "log_ratio"
    means = (rows[f"mean_{side}"].mask(is_ratio) for side in ("reference", "test"))
    rows = rows.assign(
        population=rows["population"].map(population_words),
        denominator=rows["denominator"].map(denominator_words),
        verdict=verdict_cells(rows["words"], rows["doubts"], _otherwise(rows)),
        effect=effect_cells(rows, kind="ratio"),
        corrected=_corrected(rows),
        means=beside(*means, kind=contrast.mean_unit),
        left_out=worst_left_out(rows),
        p_without=p_with(rows["p_without"], rows["without"].map(readable, na_action="ignore")),
        n=_sizes(rows, contrast),
    )
    columns = _columns_of(ABUNDANCE_COLUMNS, contrast)
    return build_table(rows, columns, caption=doubled, file=file)


def _corrected(rows: pd.DataFrame) -> Cells:
    """Return the false discovery rates of populations, and Holm's p of LAMM rows."""
    holm = rows["p_holm"].notna()
    cells = [write_cell(p, "p") for p in rows["fdr"].mask(holm, rows["p_holm"])]
    return with_notes(cells, holm.map({True: "Holm", False: ""}))


def gene_rows(expression: pd.DataFrame, *, contrast: Contrast, n_genes: int, file: str) -> Table:
    """Build the table of the genes with the smallest p in each population."""
    rows = top_genes(expression, n_genes=n_genes)
    rows = rows.assign(
        verdict=verdict_cells(rows["verdict"], rows["doubts"]),
        effect=effect_cells(rows, kind="signed", keys=("log2fc", "ci_low", "ci_high")),
        left_out=worst_left_out(rows),
        n=_sizes(rows, contrast),
    )
    return build_table(rows, _columns_of(GENE_COLUMNS, contrast), file=file)


def _columns_of(columns: Sequence[Column], contrast: Contrast) -> list[Column]:
    """Name columns by the sides of a contrast, its ratio and its average."""
    words = {
        "test": readable(contrast.test),
        "reference": readable(contrast.reference),
        "ratio": contrast.ratio()[0].upper() + contrast.ratio()[1:],
        "mean": contrast.mean_words.capitalize(),
        "sizes": size_words(contrast),
    }
    return name_columns(columns, **words)


def name_columns(columns: Sequence[Column], **words: str) -> list[Column]:
    """Insert the words of a contrast into the headings and hints of columns."""
    return [
        replace(column, label=column.label.format(**words), help=column.help.format(**words))
        for column in columns
    ]


def _otherwise(rows: pd.DataFrame) -> pd.Series:
    """Return what patients with only one side change in a result; missing where they do not."""
    return rows["words"].str.split(OTHERWISE).str[1].map("but {}".format, na_action="ignore")


def _drop_weighted(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out p with weighted patients where in each row it is on the same side of 0.05 as p."""
    if "p_weighted" not in rows:
        return rows
    known = rows["p_weighted"].notna()
    differs = known & (rows["p_weighted"].lt(ALPHA) != rows["p"].lt(ALPHA))
    return rows if differs.any() else rows.drop(columns="p_weighted")


def lamm_lines(abundance: pd.DataFrame, *, contrast: Contrast, first: str = "") -> list[str]:
    """Return a line on LAMM cells per denominator, that of `first` first, with its verdict."""
    lines = []
    rows = order_rows(abundance[abundance["population"].eq("LAMM")], first=first)
    for row in rows[rows["scale"] != "arcsine"].to_dict("records"):
        what = f"LAMM {denominator_words(row['denominator'])}"
        if not np.isfinite(row["estimate"]):
            lines.append(f"{what}: {readable(row['words'])}")
            continue
        ratio, low, high = (
            write_number(float(row[key]), "ratio") for key in ("estimate", "ci_low", "ci_high")
        )
        name = f"ratio{contrast.per}" if row["scale"] == "log_ratio" else contrast.ratio()
        interval = f"95 % CI {low} to {high}"
        lines.append(f"{what}: {name} {ratio} ({interval}), {p_words(row['p'])}; {row['verdict']}")
    return lines + _score_lines(abundance, f"difference{contrast.per}")


def _score_lines(abundance: pd.DataFrame, difference: str) -> list[str]:
    """Return a line on the mean LAMM score of monocytic cells, if it was compared."""
    what = "LAMM score of monocytic cells (-1 to 1)"
    lines = []
    for row in abundance[abundance["population"].eq(LAMM_SCORE)].to_dict("records"):
        if not np.isfinite(row["estimate"]):
            lines.append(f"{what}: {readable(row['words'])}")
            continue
        value, low, high = (
            write_number(float(row[key]), "signed") for key in ("estimate", "ci_low", "ci_high")
        )
        interval = f"95 % CI {low} to {high}"
        found = f"{difference} {value} ({interval}), {p_words(row['p'])}"
        lines.append(f"{what}: {found}; {row['verdict']}")
    return lines


def dropped_lines(abundance: pd.DataFrame) -> list[str]:
    """Name the patients left out because of too few cells, by denominator.

    Lineages are denominators of their own, so there the populations are named, too.
    """
    if "notes" not in abundance:
        return []
    lines = []
    for (denominator, note), rows in abundance.groupby(["denominator", "notes"], sort=False):
        if not isinstance(note, str) or not note:
            continue
        names = population_order(rows["population"]) if denominator == "parent" else []
        where = f" ({', '.join(map(readable, names))})" if names else ""
        lines.append(f"Fraction {denominator_words(denominator)}{where}: {readable(note)}")
    return lines


def size_words(contrast: Contrast) -> str:
    """Say what the numbers of `Contrast.size_cell` are, if they do not say so themselves."""
    match contrast.size_cell("1", "1"):
        case "1 / 1":
            return f"patients in {readable(contrast.reference)} / {readable(contrast.test)}"
        case "1":
            return "patients"
    return ""


def _sizes(rows: pd.DataFrame, contrast: Contrast) -> Cells:
    n_test, n_reference = (rows[f"n_{side}"].map("{:.0f}".format) for side in SIDES)
    return size_cells(map(contrast.size_cell, n_test, n_reference))


def top_genes(expression: pd.DataFrame, *, n_genes: int) -> pd.DataFrame:
    """Return the genes with the smallest p in each population, LAMM first; ties by symbol.

    Genes that ambient RNA may explain are left out.
    """
    tested = expression[expression["p"].notna() & ~expression["ambient"]]
    ordered = tested.sort_values(["p", "symbol"], kind="stable")
    best = ordered.groupby("cell_type", sort=False).head(n_genes)
    rank = (best["cell_type"] != "LAMM").astype(int)
    ordered = best.assign(_rank=rank).sort_values(["_rank", "cell_type", "p"], kind="stable")
    return ordered.drop(columns="_rank")
