"""Ambient RNA in the cells of one sample: its profile, and its share of their UMIs."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.ambient.contamination import Contamination, estimate_contamination
from lammscope.core.k_means import k_means
from lammscope.core.names import ALL_BARCODES
from lammscope.core.pca import principal_components
from lammscope.core.rates import cell_totals, gene_totals, normalize, take_cells
from lammscope.core.shards import Shard
from lammscope.ingest.quality.ambient import AmbientCalls
from lammscope.ingest.quality.lineages import OTHER

# Rough clusters suffice. Clusters that are finer than types do no harm: of each gene, those that
# lack it are used. Some divide a type by noise, so the median of several clusterings is taken.
N_CLUSTERINGS = 3
MAX_CELLS = 2_500  # drawn at random from more; the interval hardly narrows
N_GENES, N_COMPONENTS = 1_000, 15
MIN_RATE = 0.005  # UMIs per cell of a gene whose variance is looked at
MAX_CLUSTERS, CELLS_PER_CLUSTER = 12, 20
# Subsets of one type share most genes, and what differs is expressed a little by all of them: the
# fraction of pure B or NK cells seems to be 0.1 to 0.3. So a second lineage must have this many.
MIN_SECOND = 10
NAMED = 0.5  # of the cells, or lineages tell nothing


def ambient_genes(matrix: Shard, calls: AmbientCalls, *, lower: int) -> tuple[np.ndarray, str]:
    """Return the ambient profile of a matrix, and what it comes from.

    Parameters
    ----------
    matrix
        Counts of all barcodes of a matrix, also of a pooled channel.
    calls
        Its barcodes with ambient RNA only, and their profile.
    lower
        Barcodes with fewer UMIs are nearly empty.

    Returns
    -------
    profile
        Share of each gene; zeros in a matrix without counts.
    source
        `empty droplets`, `smallest barcodes`, or `all barcodes`: without barcodes that are known to
        hold ambient RNA only, the profile is that of all other barcodes together.
    """
    if calls.source:
        return calls.profile, calls.source
    filled = np.flatnonzero(cell_totals(matrix.counts) >= lower)
    sums = gene_totals(take_cells(matrix.counts, filled)).astype(np.float64)
    return sums / max(sums.sum(), 1), ALL_BARCODES


def sample_contamination(
    cells: Shard,
    *,
    profile: np.ndarray,
    source: str,
    lineages: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Estimate the contamination fraction of a sample.

    Parameters
    ----------
    cells
        Cells that pass quality control.
    profile, source
        From `ambient_genes`.
    lineages
        The likely lineage of each cell, from `quick_lineages`.
    rng
        Source of randomness.

    Returns
    -------
    DataFrame
        One row: `contamination`, `contamination_low`, `contamination_high` (share of UMIs that is
        ambient RNA, with its 95 % interval; missing if it cannot be estimated), `ambient_profile`
        (`source`), and `note` (why it cannot be estimated; empty if it can).
    """
    found, problem = None, _problem(lineages)
    if not problem:
        found = _estimate(
            cells.counts, profile=profile, own_profile=source == ALL_BARCODES, rng=rng
        )
        problem = found.problem
    values = (np.nan,) * 3 if found is None else (found.estimate, found.lower, found.upper)
    names = ("contamination", "contamination_low", "contamination_high")
    row = dict(zip(names, np.round(values, 4), strict=True))
    note = f"contamination cannot be estimated: {problem}" if problem else ""
    return pd.DataFrame([{**row, "ambient_profile": source, "note": note}])


def describe_contamination(table: pd.DataFrame, *, sample: str) -> str:
    """Return a message with the estimate of `sample_contamination`, or why there is none."""
    row = table.iloc[0]
    if row["note"]:
        return f"sample {sample}: {row['note']}"
    names = ("contamination", "contamination_low", "contamination_high")
    estimate, low, high = (f"{100 * row[name]:.1f}" for name in names)
    words = f"{estimate} % of the UMIs are ambient RNA ({low} to {high} %"
    return f"sample {sample}: {words}; profile from {row['ambient_profile']})"


def _problem(lineages: np.ndarray) -> str:
    """Tell why cells cannot be compared with others that lack their genes; empty if they can."""
    least = 2 * CELLS_PER_CLUSTER
    if len(lineages) < least:
        return f"{len(lineages)} cells pass quality control, and at least {least} are needed"
    named = pd.Series(lineages[lineages != OTHER])
    sizes = named.value_counts()
    if len(named) >= NAMED * len(lineages) and len(named) - sizes.iloc[0] < MIN_SECOND:
        return f"nearly all cells are of one lineage ({sizes.index[0]})"
    return ""


def _estimate(
    counts: sparse.csr_array, *, profile: np.ndarray, own_profile: bool, rng: np.random.Generator
) -> Contamination:
    """Estimate with several clusterings: the median, with the widest interval."""
    n_cells = counts.shape[0]
    if n_cells > MAX_CELLS:
        counts = sparse.csr_array(counts[np.sort(rng.choice(n_cells, MAX_CELLS, replace=False))])
    points = _points(counts)
    n_clusters = min(MAX_CLUSTERS, max(1, len(points) // CELLS_PER_CLUSTER))
    found = [
        estimate_contamination(
            counts,
            profile=profile,
            own_profile=own_profile,
            populations=k_means(points, n_clusters=n_clusters, rng=rng),
            rng=rng,
        )
        for _ in range(N_CLUSTERINGS)
    ]
    known = sorted((each for each in found if not each.problem), key=lambda each: each.estimate)
    if 2 * len(known) < N_CLUSTERINGS:
        return next(each for each in found if each.problem)
    return replace(
        known[(len(known) - 1) // 2],
        lower=min(each.lower for each in known),
        upper=max(each.upper for each in known),
    )


def _points(counts: sparse.csr_array) -> np.ndarray:
    """Return principal components of the genes that vary most, cells x components."""
    totals = cell_totals(counts)
    n_cells, n_genes = counts.shape
    squares = counts.data.astype(float) ** 2
    mean = gene_totals(counts) / n_cells
    square = np.bincount(counts.indices, weights=squares, minlength=n_genes) / n_cells
    excess = np.where(mean > MIN_RATE, square / np.maximum(mean, MIN_RATE) - mean, 0)
    variable = np.sort(np.argsort(-excess, kind="stable")[:N_GENES])
    values = normalize(counts[:, variable], totals)
    return principal_components(values, n_components=N_COMPONENTS).project(values)
