"""Lines and tables that accompany a result: influence, robustness, calibration, secondary rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.contrasts import Contrast
from lammscope.core.names import ALPHA
from lammscope.core.verdicts import OTHERWISE
from lammscope.core.words import counted, denominator_words, readable, write_number
from lammscope.report.catalog import result_path
from lammscope.report.order import population_order
from lammscope.report.table import (
    MODEL,
    Column,
    Table,
    build_table,
    name_columns,
    without_doubles,
)
from lammscope.report.table_cells import (
    Cells,
    effect_cells,
    verdict_cells,
    with_notes,
    worst_left_out,
    write_cell,
)

MAIN = "main"
CHANGED = {  # analyses of the table of robustness in words
    "scale": "scale",
    "denominator": "denominator",
    "level": "level of LAMM calls",
    "expected": "expected numbers instead of calls",
    "corrected": "numbers corrected for recall",
    "threshold": "threshold of LAMM calls",
    "adjust": "covariates",
    "leave_one_out": "one patient left out",
}
RATIO = ("log_odds", "log_odds_low", "log_odds_high")
N_SETS = 40  # rows of a gene-set table, with the smallest p
GENE_SET_COLUMNS = (
    Column("gene_set", "Gene set", "name"),
    Column("verdict", "Verdict", "words", choice=True),
    Column("cell_type", "Population", "name", choice=True),
    Column("direction", "{where}", "text"),
    Column("mean_log2fc", "Mean log₂ fold change", "signed"),
    Column("p", "p", "p", "of the patients' scores: the set relative to other genes"),
    Column("fdr", "FDR", "p", "Benjamini-Hochberg over the sets of the population"),
    Column("p_permutation", "p, permutation", "p", "of the patients' scores"),
    Column("n_genes", "Genes", "count", "that were tested"),
    Column("n_missing", "Genes missing", "count", more=True),
    Column("left_out", "p, one left out", "p", "largest p with one patient left out", True),
    Column("p_floor", "Smallest possible p", "p", "that the permutations can give", True,
           constant=True),
    Column("p_camera", "p, camera", "p", "counts genes as replicates: usually too small", True),
)  # fmt: skip
FAMILY_COLUMNS = (
    Column("cell_type", "Population", "name"),
    Column("n_tested", "Genes tested", "count"),
    Column("fdr_family", "FDR of the population", "p", "over all contrasts and populations"),
    Column("n_genes_population", "Genes within the FDR", "count", "of the population alone"),
    Column("n_genes", "Of these, in the run", "count", "within the FDR over the whole run"),
    Column("n_supported", "Of these, supported", "count", "by permutation and without any patient"),
)
LAMM_COLUMNS = (
    Column("contrast", "Contrast", "name", choice=True),
    Column("verdict", "Verdict", "words", choice=True),
    Column("population", "Population", "name", choice=True),
    Column("denominator", "Fraction", "text", choice=True),
    Column(
        "effect",
        "Ratio (95 % CI)",
        "ratio",
        "odds ratio; for a change, ratio of odds ratios; for a trend, per step, SD or doubling; of "
        "the LAMM score, the difference",
    ),
    Column("p", "p", "p", MODEL),
    Column("p_holm", "p, Holm", "p", "corrected for all secondary LAMM rows of this run"),
    Column("p_permutation", "p, permutation", "p", "assumes no distribution"),
    Column("left_out", "p, one left out", "p", "largest p with one patient left out", True),
    Column("detectable", "Detectable", "ratio", "ratio found with power 0.80; for planning", True),
)
NEIGHBORHOOD_COLUMNS = (
    Column("population", "Population", "name", "of most cells of a neighborhood"),
    Column("n_neighborhoods", "Neighborhoods", "count"),
    Column("n_tested", "Tested", "count"),
    Column("n_higher", "{higher}", "count", "up to the spatial false discovery rate"),
    Column("n_lower", "{lower}", "count", "up to the spatial false discovery rate"),
    Column("median_log2fc", "Median log₂ fold change", "signed"),
    Column("min_spatial_fdr", "Smallest spatial FDR", "p"),
    Column("n_mixed", "Mixed", "count", "without a clear majority of one population"),
)


def family_table(hierarchy: pd.DataFrame) -> Table | None:
    """Return the tested populations of a contrast with their numbers of genes; None without any."""
    if hierarchy.empty:
        return None
    ordered = hierarchy.set_index("cell_type")
    ordered = ordered.loc[population_order(list(ordered.index))].reset_index()
    return build_table(ordered, FAMILY_COLUMNS, file=result_path("hierarchy"))


def influence_line(row: Mapping[str, Any], *, contrast: Contrast) -> str:
    """Say how much a row of an abundance table depends on one patient; "" if not tested."""
    p_max = float(row.get("influence_p_max", np.nan))
    if not np.isfinite(p_max):
        return ""
    low, high = (write_number(float(row[f"influence_{end}"]), "ratio") for end in ("low", "high"))
    words = f"If any one patient is left out, the {contrast.ratio()} is between {low} and {high}"
    words += f", and p is at most {write_number(p_max, 'p').removeprefix('< ')}"
    return f"{words} (without {row['influence_patient']})."


def incomplete_line(row: Mapping[str, Any], *, contrast: Contrast) -> str:
    """Say what a row is with the patients who have only one side; "" without such patients."""
    p = float(row.get("p_incomplete", np.nan))
    if not np.isfinite(p):
        return ""
    n = int(row["n_incomplete_test"] + row["n_incomplete_reference"])
    who = f"{counted(n, 'patients')} added who {'has' if n == 1 else 'have'}"
    ratio, low, high = (
        write_number(float(row[f"{name}_incomplete"]), "ratio")
        for name in ("estimate", "ci_low", "ci_high")
    )
    line = (
        f"With {who} only one of the two samples (a random effect of patients, REML), "
        f"the {contrast.ratio()} is {ratio} (95 % CI {low} to {high}; p = {p:.2g})."
    )
    return line + " The verdict rests on complete patients." * (OTHERWISE in str(row["words"]))


def least_words(p: float) -> str:
    """Write the smallest p that a test can give, in full even if it is below 0.0001."""
    text = write_number(p, "p")
    return f"{p:.1g}" if text.startswith("<") else text


def limit_words(row: Mapping[str, Any]) -> str:
    """Say what limits p of the permutation test of a row: its patients, or the number of draws."""
    number = str(row["permutation_scheme"]).rpartition(": ")[2]
    return f"with {number}" if number.endswith("draws") else "with these patients"


def robustness_line(robustness: pd.DataFrame, *, contrast: Contrast) -> str:
    """Summarize the other analyses of the LAMM result; "" if there is no result."""
    tested = robustness[robustness["log_odds"].notna()]
    main = tested[tested["analysis"] == MAIN]
    others = tested[tested["analysis"] != MAIN]
    if main.empty or others.empty:
        return ""
    changed = [words for name, words in CHANGED.items() if (others["analysis"] == name).any()]
    same = np.sign(others["log_odds"]) == np.sign(main["log_odds"].iloc[0])
    clear = same & (others["p"] < ALPHA)
    low, high = (
        write_number(float(end), "ratio")
        for end in (others["log_odds"].min(), others["log_odds"].max())
    )
    line = (
        f"The analysis was repeated {len(others)} times, each time with one choice changed "
        f"({', '.join(changed)}). "
        f"The difference has the same direction in {same.sum()} of them; {clear.sum()} of these "
        f"have p < {ALPHA:g}. The {contrast.ratio()} is between {low} and {high}."
    )
    return f"{line} {correction_line(tested, contrast=contrast)}".rstrip()


def correction_line(tested: pd.DataFrame, *, contrast: Contrast) -> str:
    """Compare the numbers of macrophage-like cells that are corrected for recall with called ones.

    `tested` are analyses with a result. Returns "" if the two are not among them.
    """
    corrected = tested[tested["analysis"] == "corrected"]
    if corrected.empty:
        return ""
    level = corrected["setting"].iloc[0]
    plain = tested[(tested["analysis"] == "level") & (tested["setting"] == level)]
    if plain.empty:  # the level of the main analysis
        plain = tested[tested["analysis"] == MAIN]
    if np.isclose(plain["log_odds"].iloc[0], corrected["log_odds"].iloc[0]):
        return "No sample has so few macrophage-like cells that calls lose many of them."
    ratios = (
        [write_number(float(table[name].iloc[0]), "ratio") for name in RATIO]
        for table in (plain, corrected)
    )
    called, found = (f"{ratio} (95 % CI {low} to {high})" for ratio, low, high in ratios)
    return (
        f"Samples with few macrophage-like cells lose more of them to the calls. The "
        f"{contrast.ratio()} of called macrophage-like cells is {called}, that of the numbers "
        f"corrected for this {found}."
    )


def calibration_rows(calibration: pd.DataFrame) -> list[dict[str, str]]:
    """Return the messages of the self-diagnosis in the form of the audit's messages."""
    return [
        {key: str(row[key]) for key in ("contrast", "status", "message")}
        for row in calibration.to_dict("records")
    ]


def gene_set_table(gene_sets: pd.DataFrame, *, contrast: Contrast) -> Table | None:
    """Return the gene sets with the smallest p, LAMM cells first; None if none was tested."""
    if gene_sets.empty or gene_sets["p"].isna().all():
        return None
    rows = gene_sets[gene_sets["p"].notna()].nsmallest(N_SETS, "p", keep="first")
    rows = rows.assign(_other=rows["cell_type"] != "LAMM")
    rows = rows.sort_values(["_other", "cell_type", "p"], kind="stable")
    rows = rows.assign(
        verdict=verdict_cells(rows["verdict"], rows["doubts"]), left_out=worst_left_out(rows)
    )
    where = contrast.heading[0].upper() + contrast.heading[1:]
    file = result_path("gene_sets", contrast=contrast.name)
    return build_table(rows, name_columns(GENE_SET_COLUMNS, where=where), file=file)


def neighborhood_table(neighborhoods: pd.DataFrame, *, contrast: Contrast) -> Table | None:
    """Return the neighborhoods by population; None if none was tested."""
    if neighborhoods.empty or not neighborhoods["n_tested"].any():
        return None
    ordered = neighborhoods.set_index("population")
    ordered = ordered.loc[population_order(list(ordered.index))].reset_index()
    words = {way: contrast.toward(way) for way in ("higher", "lower")}
    words = {way: text[0].upper() + text[1:] for way, text in words.items()}
    file = result_path("neighborhoods_by_type", contrast=contrast.name)
    return build_table(ordered, name_columns(NEIGHBORHOOD_COLUMNS, **words), file=file)


def missing_lines(missing: pd.DataFrame, *, contrast: Contrast) -> list[str]:
    """Name the populations that are missing more often on one side (p below 0.05)."""
    if missing.empty:
        return []
    lines = []
    for row in missing[missing["p"] < ALPHA].to_dict("records"):
        name = "samples" if row["cell_type"] == "(all)" else readable(row["cell_type"])
        own = {str(key): value for key, value in row.items()}
        lines.append(
            f"{name}: {contrast.kept_words(own)}; genes are compared only between those who have "
            "these cells"
        )
    return lines


def ambient_counts(tested: pd.DataFrame) -> list[tuple[str, str]]:
    """Count the genes that ambient RNA may explain, by population, where there are any.

    `tested` has the rows of an expression table with p.
    """
    n_marked = tested["ambient"].astype(int).groupby(tested["cell_type"]).sum()
    names = population_order(list(n_marked.index[n_marked > 0]))
    return [(readable(name), f"{n_marked[name]:,}") for name in names]


def lamm_table(results: pd.DataFrame, *, level: str) -> Table | None:
    """Return the LAMM results of the run, the primary one first; None without any.

    `level` is that of LAMM cells, whose rows are not repeated.
    """
    if results.empty:
        return None
    rows, doubled = without_doubles(results, level=level)
    names = [write_cell(name, "name") for name in rows["contrast"]]
    roles = rows["role"].where(rows["role"] == "primary", "")
    rows = rows.assign(
        contrast=with_notes(names, roles),
        denominator=rows["denominator"].map(denominator_words),
        verdict=verdict_cells(rows["words"], rows["doubts"]),
        effect=_ratios_or_differences(rows),
        detectable=rows["detectable"].mask(rows["scale"] == "mean"),
        left_out=worst_left_out(rows),
    )
    return build_table(rows, LAMM_COLUMNS, caption=doubled, file=result_path("lamm_results"))


def _ratios_or_differences(rows: pd.DataFrame) -> Cells:
    """Return ratios with their intervals; of the mean LAMM score, the difference."""
    ratios = effect_cells(rows, kind="ratio")
    differences = effect_cells(rows, kind="signed")
    differences = with_notes(differences, ["difference"] * len(rows))
    of_means = rows["scale"].eq("mean") & rows["estimate"].notna()
    return [
        difference if of_mean else ratio
        for ratio, difference, of_mean in zip(ratios, differences, of_means, strict=True)
    ]
