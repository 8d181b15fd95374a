"""Tables of the report as plain records, with formatted numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.core.names import ALPHA, LAMM_SCORE
from lammscope.core.verdicts import OTHERWISE
from lammscope.core.words import (
    NOTHING,
    denominator_words,
    population_words,
    readable,
    write_number,
)
from lammscope.report.order import order_rows


@dataclass(frozen=True)
class Column:
    """A column of a report table: its source, heading, format and hint."""

    key: str
    label: str
    kind: str = "text"  # text, name, words, count, number, signed, ratio, fraction, percent, p
    help: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell: its text and its sort key."""

    text: str
    sort: str
    style: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the report."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""


def build_table(frame: pd.DataFrame, columns: Sequence[Column], *, caption: str = "") -> Table:
    """Build a table of the columns that `frame` has; others are left out."""
    present = tuple(column for column in columns if column.key in frame)
    written = [
        [write_cell(value, column.kind) for value in frame[column.key]] for column in present
    ]
    return Table(present, tuple(zip(*written, strict=True)), caption)


def write_cell(value: Any, kind: str) -> Cell:
    """Format one value as text, with a sort key. Empty text is missing, as it is in a file."""
    infinite = isinstance(value, float) and not np.isfinite(value)
    if value is None or value is pd.NA or value == "" or infinite:
        return Cell(NOTHING, "", "missing")
    if kind in ("text", "name", "words"):
        text = str(value) if kind == "text" else readable(value)
        lamm = " lamm" if kind == "name" and text.startswith("LAMM") else ""
        return Cell(text, text.lower(), "left wrap" if kind == "words" else f"left{lamm}")
    number = float(value)
    return Cell(write_number(number, kind), f"{number:.8g}")


ABUNDANCE_COLUMNS = (
    Column("population", "Population", "name"),
    Column("denominator", "Fraction", "text"),
    Column("mean_reference", "{mean}, {reference}", "fraction"),
    Column("mean_test", "{mean}, {test}", "fraction"),
    Column("odds_ratio", "{ratio}", "ratio", "exponential of the estimate on the logit scale"),
    Column("interval", "95 % CI", "text"),
    Column("p", "p", "p", "patient-level linear model, each arm with its own variance"),
    Column("verdict", "Verdict", "words"),
    Column("doubts", "Not supported because", "words"),
    Column("n", "n", "text", "patients in {reference} / {test}, or pairs"),
    Column("fdr", "FDR", "p", "Benjamini-Hochberg within contrast and denominator"),
    Column("p_holm", "p, Holm", "p", "of LAMM rows, over all but the primary one of this run"),
    Column("p_permutation", "p, permutation", "p"),
    Column("influence_p_max", "p, one left out", "p", "largest p with one patient left out"),
    Column("p_incomplete", "p, incomplete", "p", "with patients who have only one side, by REML"),
    Column("otherwise", "But", "words", "where these patients change the result"),
    Column("p_weighted", "p, weighted", "p", "with patients weighted by their number of cells"),
    Column(
        "p_without", "p without", "p", "in the denominator without the population that moved most"
    ),
    Column("without", "Without", "name", "that population"),
    Column(
        "p_arcsine", "p, arcsine", "p", "the same test on the arcsine scale, as a sensitivity check"
    ),
    Column("detectable", "Detectable", "ratio", "ratio found with power 0.80; for planning"),
)
GENE_COLUMNS = (
    Column("cell_type", "Population", "name"),
    Column("symbol", "Gene"),
    Column("log2fc", "log₂ fold change", "signed"),
    Column("ci_low", "95 % CI low", "signed"),
    Column("ci_high", "95 % CI high", "signed"),
    Column("mean_expression", "Mean log₂ CPM", "number"),
    Column("p", "p", "small_p"),
    Column("fdr", "FDR", "small_p", "Benjamini-Hochberg within the population"),
    Column("verdict", "Verdict", "words"),
    Column("doubts", "Not supported because", "words"),
    Column("n_test", "n test", "count"),
    Column("n_reference", "n reference", "count"),
)
CLUSTER_COLUMNS = (
    Column("cluster", "Cluster", "count"),
    Column("cell_type", "Cell type", "name"),
    Column("lineage", "Lineage", "name"),
    Column("n_cells", "Cells", "count"),
    Column("n_samples", "Samples", "count"),
    Column("score", "Score", "number"),
    Column("margin", "Margin", "number", "lead over the runner-up"),
    Column("runner_up", "Runner-up", "name"),
    Column("pct_lamm", "LAMM", "percent", "of its cells, at the configured level"),
    Column("pct_uncertain", "Uncertain", "percent"),
    Column("top_markers", "Strongest markers", "words"),
)
CAR_COLUMNS = (
    Column("sample", "Sample"),
    Column("phase", "Phase"),
    Column("n_t_cells", "T cells", "count"),
    Column("n_t_with_car", "T cells with CAR", "count", "at least one UMI"),
    Column("pct_of_t", "Fraction of T cells", "percent"),
    Column("n_positive", "CAR-T cells", "count", "called from their transcripts and neighbors"),
    Column("n_unknown", "Unknown T cells", "count", "may be CAR-T cells; not tested"),
    Column("pct_missed", "CAR-T cells missed", "percent", "expected, of all CAR-T cells"),
    Column("n_other_with_car", "Other cells with CAR", "count", "ambient or engulfed RNA"),
    Column("reading", "Interpretation", "words"),
)
QC_COLUMNS = (
    Column("sample", "Sample"),
    Column("verdict", "Verdict", "words"),
    Column("n_barcodes", "Barcodes", "count"),
    Column("n_ambient", "Ambient RNA", "count", "no cell"),
    Column("n_low_counts", "Low counts", "count"),
    Column("n_few_genes", "Few genes", "count"),
    Column("n_high_mt", "High mitochondrial", "count"),
    Column("n_high_hb", "High hemoglobin", "count"),
    Column("n_high_counts", "High counts", "count"),
    Column("n_doublets", "Doublets", "count"),
    Column("n_dropped", "Left out", "count", "that pass, in samples that fail"),
    Column("n_cells", "Cells kept", "count"),
    Column("median_counts", "Median UMIs", "count"),
    Column("median_genes", "Median genes", "count"),
    Column("median_pct_mt", "Median mitochondrial", "percent"),
    Column("pct_contamination", "Contamination", "percent", "UMIs that are ambient RNA"),
    Column("sex", "Sex", "words", "by XIST and genes of chromosome Y"),
    Column("shared_barcodes", "Shares barcodes with", "text", "% of the smaller sample"),
    Column("sheet_sample", "In the sample sheet", "text"),
)


def abundance_rows(abundance: pd.DataFrame, *, contrast: Contrast) -> Table:
    """Build the table of an abundance test, LAMM first, with odds ratios (ratios for log ratios).

    Rows on the arcsine scale are not listed; their p is a column.
    """
    keys = ["population", "denominator"]
    rows = order_rows(abundance[~abundance["scale"].isin(["arcsine", "mean"])])
    arcsine = abundance[abundance["scale"] == "arcsine"].set_index(keys)["p"]
    if len(arcsine):
        rows["p_arcsine"] = arcsine.reindex(pd.MultiIndex.from_frame(rows[keys])).to_numpy()
    rows = _drop_weighted(_drop_incomplete(rows.assign(otherwise=otherwise_words(rows))))
    is_ratio = rows["scale"] == "log_ratio"
    rows = rows.assign(
        population=rows["population"].map(population_words),
        denominator=rows["denominator"].map(denominator_words),
        odds_ratio=rows["estimate"],
        interval=interval_words(rows),
        verdict=verdict_words(rows),
        n=_sizes(rows, contrast),
        **{f"mean_{s}": rows[f"mean_{s}"].mask(is_ratio) for s in ("test", "reference")},
    )
    words = {
        "test": readable(contrast.test),
        "reference": readable(contrast.reference),
        "ratio": contrast.ratio()[0].upper() + contrast.ratio()[1:],
        "mean": contrast.mean_words.capitalize(),
    }
    columns = [
        replace(column, kind=contrast.mean_unit) if column.kind == "fraction" else column
        for column in name_columns(ABUNDANCE_COLUMNS, **words)
    ]
    return build_table(rows, columns)


def name_columns(columns: Sequence[Column], **words: str) -> list[Column]:
    """Insert the words of a contrast into the headings and hints of columns."""
    return [
        replace(column, label=column.label.format(**words), help=column.help.format(**words))
        for column in columns
    ]


def interval_words(rows: pd.DataFrame) -> pd.Series:
    """Format confidence intervals of ratios, given as logarithms; None if missing."""
    low, high = (
        rows[key].map(lambda end: write_number(end, "ratio")) for key in ("ci_low", "ci_high")
    )
    return (low + " to " + high).where(rows["ci_low"].notna(), None)


def verdict_words(rows: pd.DataFrame) -> pd.Series:
    """Return verdicts with their direction or reason, such as `suggestive: higher in responder`."""
    return rows["words"].str.split(";").str[0]


def otherwise_words(rows: pd.DataFrame) -> pd.Series:
    """Return what patients with only one side change in a result; None where they do not."""
    words = rows["words"].str.split(OTHERWISE).str[1]
    return words.where(words.notna(), None)


def _drop_incomplete(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out the columns on patients with only one side where none changes a row."""
    empty = [c for c in ("p_incomplete", "otherwise") if c in rows and rows[c].isna().all()]
    return rows.drop(columns=empty)


def _drop_weighted(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out p with weighted patients where in each row it is on the same side of 0.05 as p."""
    if "p_weighted" not in rows:
        return rows
    known = rows["p_weighted"].notna()
    differs = known & (rows["p_weighted"].lt(ALPHA) != rows["p"].lt(ALPHA))
    return rows if differs.any() else rows.drop(columns="p_weighted")


def lamm_lines(abundance: pd.DataFrame, *, contrast: Contrast) -> list[str]:
    """Return one line per denominator on LAMM cells: estimate, interval, p and verdict."""
    lines = []
    rows = order_rows(abundance[abundance["population"].eq("LAMM")])
    for row in rows[rows["scale"] != "arcsine"].to_dict("records"):
        what = f"LAMM {denominator_words(row['denominator'])}"
        if not np.isfinite(row["estimate"]):
            lines.append(f"{what}: {readable(row['words'])}")
            continue
        ratio, low, high = (
            write_number(float(row[key]), "ratio") for key in ("estimate", "ci_low", "ci_high")
        )
        name = f"ratio{contrast.per}" if row["scale"] == "log_ratio" else contrast.ratio()
        p = write_number(float(row["p"]), "p")
        p = p if p.startswith("<") else f"= {p}"
        lines.append(f"{what}: {name} {ratio} (95 % CI {low} to {high}), p {p}; {row['verdict']}")
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
        p = write_number(float(row["p"]), "p")
        p = p if p.startswith("<") else f"= {p}"
        interval = f"95 % CI {low} to {high}"
        lines.append(f"{what}: {difference} {value} ({interval}), p {p}; {row['verdict']}")
    return lines


def dropped_lines(abundance: pd.DataFrame) -> list[str]:
    """Name the patients left out because of too few cells, by denominator."""
    if "notes" not in abundance:
        return []
    notes = abundance[["denominator", "notes"]].drop_duplicates()
    return [
        f"Fraction {denominator_words(row['denominator'])}: {readable(row['notes'])}"
        for row in notes.to_dict("records")
        if isinstance(row["notes"], str) and row["notes"]
    ]


def _sizes(rows: pd.DataFrame, contrast: Contrast) -> list[str]:
    n_test, n_reference = (rows[f"n_{side}"].map("{:.0f}".format) for side in SIDES)
    return list(map(contrast.size_cell, n_test, n_reference))


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


def explorer_points(
    expression: pd.DataFrame, *, types: Sequence[str], max_fdr: float
) -> dict[str, Any]:
    """Return the points of the interactive volcano plot, thinned where they overlap.

    A gene at the same position as one with a smaller p is left out, unless its false discovery rate
    is at most `max_fdr`.
    """
    points = {}
    for name in types:
        genes = expression[(expression["cell_type"] == name) & expression["p"].notna()]
        genes = genes.sort_values(["p", "symbol"], kind="stable")
        height = -np.log10(genes["p"].clip(lower=1e-300))
        spot = pd.DataFrame({"x": (genes["log2fc"] / 0.06).round(), "y": (height / 0.1).round()})
        kept = (genes["fdr"] <= max_fdr) | ~spot.duplicated()
        genes, height = genes[kept], height[kept]
        points[readable(name)] = {
            "symbol": genes["symbol"].astype(str).tolist(),
            "x": genes["log2fc"].round(3).tolist(),
            "y": height.round(3).tolist(),
            "fdr": [float(f"{value:.2g}") for value in genes["fdr"].fillna(1.0)],
            "ambient": genes["ambient"].astype(int).tolist(),
        }
    return points
