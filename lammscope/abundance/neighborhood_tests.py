"""Abundance without clusters: compare neighborhoods of cells between patients.

Follows Milo (Dann et al. 2022, doi 10.1038/s41587-021-01033-z) with the patient as the unit: one
value per patient, a moderated linear model over all neighborhoods, and a false discovery rate that
accounts for their overlap.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lammscope.abundance.comparisons import MIN_MODERATED
from lammscope.abundance.fractions import sum_sides, thinnest_depth
from lammscope.abundance.neighborhoods import Neighborhoods, count_members
from lammscope.cohort.comparison import Comparison, design_problem
from lammscope.cohort.design import design_matrix, independent_columns, tested_column
from lammscope.core.names import Array
from lammscope.stats import linear

PSEUDOCOUNT = 0.5  # in cells, as for the logits of populations
FLAT = 1e-8  # log2: a smaller standard deviation is due to rounding
COLUMNS = [
    *("neighborhood", "cell", "population", "population_fraction", "n_cells", "log2fc", "se", "t"),
    *("df", "p", "spatial_fdr", "p_unmoderated", "n_test", "n_reference", "status"),
]
SUMMARY_COLUMNS = [
    *("population", "n_neighborhoods", "n_tested", "n_higher", "n_lower", "median_log2fc"),
    *("min_spatial_fdr", "n_mixed"),
]


def test_neighborhoods(
    neighborhoods: Neighborhoods,
    labels: pd.DataFrame,
    comparison: Comparison,
    *,
    min_cells: int,
    min_expected: float,
    exclude_pre_post: Sequence[str],
) -> pd.DataFrame:
    """Test the differential abundance of each neighborhood.

    A patient's value is log2((n + 0.5) / (N + 1)) for n of its N cells, replicates summed
    (`between`), or the difference of the test minus the reference side (`paired`, `change`). The
    mean, or the difference between arms adjusted for covariates, is tested with moderated
    variances. No trend and no voom weights are used: neighborhoods have one size, so that their
    mean log count is low if patients differ much, and a variance that depends on it gives false
    positives.

    Parameters
    ----------
    neighborhoods
        From `sample_neighborhoods`.
    labels
        `cell`, `sample`, `population` of all cells, in the order of the cell index.
    comparison
        Who is compared with whom.
    min_cells
        Patients with fewer cells on a side are left out.
    min_expected
        Minimum expected cells per sample on the side with the fewest cells, if all samples had
        one proportion. Neighborhoods with fewer are not tested, since the sequencing depth would
        determine their value.
    exclude_pre_post
        Populations left out of N if phases are compared. Otherwise the fractions of all other
        cells would rise when these vanish.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, one row per neighborhood: `cell` is the index cell, `population` that
        of most members, `n_cells` the number of cells in the samples of the contrast, `log2fc` the
        log2 fold change of the frequency (for `change` a ratio of ratios). `status` is ok,
        too_few_patients, too_few_values (of a trend), aliased, too_few_cells or no_variation; only
        ok has an estimate and p.
    """
    table = _describe(neighborhoods, labels)
    contrast, samples, units = comparison.contrast, comparison.samples, comparison.units
    excluded = comparison.left_out(exclude_pre_post)
    counts = pd.DataFrame(neighborhoods.counts.T, index=neighborhoods.samples)
    counted = labels.loc[~labels["population"].isin(excluded), "sample"].value_counts().to_frame()
    # a sample without cells, or with excluded cells only, has no row yet
    cells, library = (
        sum_sides(part.reindex(samples["sample"], fill_value=0), units)
        for part in (counts, counted)
    )
    library = library[0]
    keep = (library >= min_cells).all(axis=0)
    units, cells, library = units[keep], cells[:, :, keep], library[:, keep]
    table = table.assign(**contrast.arm_sizes(units))
    table["n_cells"] = cells.sum(axis=(1, 2)).astype(int)
    design = design_matrix(units, contrast.adjust)
    table["status"] = design_problem(units, design, contrast)
    if (table["status"] == "").all():
        rare = _expected(cells, library, contrast.groups(units)) < min_expected
        values = _unit_values(cells, library)
        full = independent_columns(design)
        flat = linear.lm_fit(values, full.to_numpy()).sigma < FLAT
        table["status"] = np.select([rare, flat], ["too_few_cells", "no_variation"], "ok")
        tested = (table["status"] == "ok").to_numpy()
        if tested.any():
            for name, column in _test(values[tested], full).items():
                table.loc[tested, name] = column
            rate = spatial_fdr(
                table.loc[tested, "p"].to_numpy(), distance=neighborhoods.distance[tested]
            )
            table.loc[tested, "spatial_fdr"] = rate
    return table[COLUMNS]


def spatial_fdr(p: Array, *, distance: Array) -> Array:
    """Adjust p-values of overlapping neighborhoods by weighted Benjamini-Hochberg (Milo).

    The weight of a neighborhood is 1 / `distance` to its farthest member. Equal distances give the
    unweighted adjustment.

    Parameters
    ----------
    p
        One per neighborhood, without missing values.
    distance
        From `Neighborhoods`; 0 (identical cells) is replaced by the smallest positive distance.
    """
    positive = distance[distance > 0]
    smallest = float(positive.min()) if len(positive) else 1.0
    weight = 1 / np.maximum(np.asarray(distance, dtype=float), smallest)
    order = np.argsort(p, kind="stable")
    rate = p[order] * weight.sum() / np.cumsum(weight[order])
    result = np.empty(len(p))
    result[order] = np.minimum(np.minimum.accumulate(rate[::-1])[::-1], 1.0)
    return result


def summarize_neighborhoods(
    table: pd.DataFrame,
    populations: Sequence[str] | np.ndarray,
    *,
    max_spatial_fdr: float,
    min_fraction: float,
) -> pd.DataFrame:
    """Count neighborhoods per population, and those higher or lower in the test arm.

    Parameters
    ----------
    table
        From `test_neighborhoods`.
    populations
        All populations of the cohort, including those without a neighborhood.
    max_spatial_fdr
        Maximum spatial FDR of neighborhoods counted as higher or lower.
    min_fraction
        Neighborhoods in which the population has a smaller fraction are also counted as `n_mixed`.

    Returns
    -------
    DataFrame
        The columns `SUMMARY_COLUMNS`, sorted by population.
    """
    found = table["spatial_fdr"] <= max_spatial_fdr
    marked = table.assign(
        n_neighborhoods=1,
        n_tested=table["status"] == "ok",
        n_higher=found & (table["log2fc"] > 0),
        n_lower=found & (table["log2fc"] < 0),
        n_mixed=table["population_fraction"] < min_fraction,
    )
    counts = ["n_neighborhoods", "n_tested", "n_higher", "n_lower", "n_mixed"]
    groups = marked.groupby("population")
    summary = groups[counts].sum().reindex(sorted(set(populations)), fill_value=0).astype(int)
    summary["median_log2fc"] = groups["log2fc"].median()
    summary["min_spatial_fdr"] = groups["spatial_fdr"].min()
    return summary.reset_index(names="population")[SUMMARY_COLUMNS]


def _describe(neighborhoods: Neighborhoods, labels: pd.DataFrame) -> pd.DataFrame:
    """Describe each neighborhood by the population of most members (if tied, the first by name)."""
    names, codes = np.unique(labels["population"].to_numpy(dtype=str), return_inverse=True)
    shares = count_members(codes[neighborhoods.members], n_labels=len(names))
    table = pd.DataFrame(index=range(len(shares)), columns=COLUMNS, dtype=float)
    table["neighborhood"] = np.arange(1, len(shares) + 1)
    table["cell"] = labels["cell"].to_numpy(dtype=object)[neighborhoods.index_cells]
    table["population"] = names.astype(object)[shares.argmax(axis=1)]
    table["population_fraction"] = shares.max(axis=1) / neighborhoods.members.shape[1]
    return table


def _expected(cells: Array, library: Array, arm: np.ndarray) -> Array:
    """Return the expected cells per sample on the side with the fewest, at equal proportions."""
    return np.asarray(thinnest_depth(library.T, arm) * cells.sum(axis=(1, 2)) / library.sum())


def _unit_values(cells: Array, library: Array) -> Array:
    """Compute log2 frequencies, neighborhoods x units; with two sides, test minus reference."""
    values = np.log2((cells + PSEUDOCOUNT) / (library + 2 * PSEUDOCOUNT))
    return np.asarray(values[:, 0] - values[:, 1] if values.shape[1] == 2 else values[:, 0])


def _test(values: Array, design: pd.DataFrame) -> dict[str, Array]:
    """Compute moderated tests of the effect, robust to neighborhoods with outlier variances."""
    at = tested_column(design)
    fit = linear.lm_fit(values, design.to_numpy())
    plain = linear.ordinary(fit)
    few = len(values) < MIN_MODERATED
    test = plain if few else linear.moderate(fit, robust=True, trend=False)
    return {
        "log2fc": test.coefficients[:, at],
        "se": test.stdev_unscaled[:, at] * np.sqrt(test.s2_post),
        "t": test.t[:, at],
        "df": test.df_total,
        "p": test.p_value[:, at],
        "p_unmoderated": plain.p_value[:, at],
    }
