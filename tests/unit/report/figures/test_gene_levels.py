"""The heat map of top genes: which genes, in which patients, and with which values."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.expression.models import plain_pseudobulks
from lammscope.report.figures.gene_levels import GeneLevelData, gene_heat_map
from lammscope.report.figures.style import STYLE
from lammscope.report.gene_levels import N_GENES, N_SMALLEST, GeneLevels, gene_levels, top_genes
from tests.unit.example_pseudobulks import make_pseudobulk
from tests.unit.example_results import CONTRASTS, sample_table

SAMPLES = sample_table(8)
SUMS = plain_pseudobulks(make_pseudobulk(SAMPLES, populations=("LAMM", "NK")))


def expression(n_supported: int = 3) -> pd.DataFrame:
    rows = [
        {
            "cell_type": population, "gene": f"ENSG{i:05d}", "symbol": f"GENE{i:02d}",
            "log2fc": 1.0 if i % 2 else -1.0, "p": 1e-6 * (i + 1), "ambient": i == 0,
            "verdict": "supported"
            if population == "NK" and i <= n_supported
            else "inconclusive",
        }
        for population in ("LAMM", "NK")
        for i in range(40)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def levels_of(contrast: Contrast, table: pd.DataFrame) -> GeneLevels:
    return gene_levels(SUMS, Comparison(SAMPLES, contrast), table, min_cells=10)


def words_of(levels: GeneLevels, contrast: Contrast) -> list[str]:
    with rc_context(STYLE):
        figure: Figure = gene_heat_map(GeneLevelData(contrast, levels))
    axes = figure.axes
    texts = [*figure.texts, *(text for axis in axes for text in axis.texts)]
    return [text.get_text() for text in texts]


def test_supported_genes_are_shown_or_else_those_with_the_smallest_p() -> None:
    genes, n_found = top_genes(expression())
    assert genes["population"].drop_duplicates().tolist() == ["LAMM", "NK"]
    counts = genes["population"].value_counts()
    assert (counts["LAMM"], counts["NK"]) == (N_SMALLEST, 3)
    assert set(genes.loc[genes["population"] == "NK", "verdict"]) == {"supported"}
    assert n_found == {"LAMM": (0, 0), "NK": (3, 0)}
    many, _ = top_genes(expression(n_supported=30))
    assert (many["population"] == "NK").sum() == N_GENES


def test_genes_of_ambient_rna_are_left_out() -> None:
    genes, _ = top_genes(expression())
    assert "ENSG00000" not in set(genes["gene"])


def test_values_between_patients_are_standard_deviations() -> None:
    levels = levels_of(CONTRASTS["baseline"], expression())
    assert levels.values.shape == (len(levels.genes), len(levels.columns))
    np.testing.assert_allclose(levels.values.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(levels.values.std(axis=1, ddof=1), 1)
    arms = levels.columns["arm"].tolist()
    assert arms == sorted(arms)  # the reference side first


@pytest.mark.parametrize("name", ["pre_to_post", "change"])
def test_values_within_patients_are_log_ratios_by_hand(name: str) -> None:
    levels = levels_of(CONTRASTS[name], expression())
    column, gene = levels.columns.iloc[0], levels.genes.iloc[0]
    own = SAMPLES[SAMPLES["patient"].astype(str) == column["patient"]].set_index("phase")["sample"]
    at = SUMS.genes.tolist().index(gene["gene"])

    def log_cpm(sample: str) -> float:
        is_row = (SUMS.obs["sample"] == sample) & (SUMS.obs["population"] == gene["population"])
        counts = SUMS.counts[np.flatnonzero(is_row)].toarray()[0]
        return float(np.log2((counts[at] + 0.5) / (counts.sum() + 1) * 1e6))

    expected = log_cpm(own["post"]) - log_cpm(own["pre"])
    assert levels.values[0, 0] == pytest.approx(expected)


def test_patients_with_too_few_cells_are_marked() -> None:
    sums = plain_pseudobulks(make_pseudobulk(SAMPLES, populations=("LAMM", "NK")))
    poor = SAMPLES.loc[SAMPLES["phase"] == "pre", "sample"].iloc[0]
    sums.obs.loc[(sums.obs["sample"] == poor) & (sums.obs["population"] == "NK"), "n_cells"] = 2
    contrast = CONTRASTS["baseline"]
    levels = gene_levels(sums, Comparison(SAMPLES, contrast), expression(), min_cells=10)
    lacking = np.isnan(levels.values)
    assert lacking.any(axis=0).sum() == 1
    assert set(levels.genes.loc[lacking.any(axis=1), "population"]) == {"NK"}


def test_headings_tell_supported_genes_from_the_smallest_p() -> None:
    contrast = CONTRASTS["baseline"]
    words = words_of(levels_of(contrast, expression()), contrast)
    assert "NK: 3 supported genes" in words
    assert "LAMM: no gene supported or suggestive; the smallest p are shown" in words


def test_a_contrast_without_tests_has_a_sentence() -> None:
    contrast = CONTRASTS["baseline"]
    (words,) = words_of(levels_of(contrast, pd.DataFrame()), contrast)
    assert words.startswith("No population had enough samples for expression tests")
