"""Doublet detection within one channel, by comparison with simulated doublets.

As in Scrublet [1]_, sums of random pairs of cells are added as simulated doublets, and the score of
a cell is their share among its neighbors. The implementation uses faiss and a small principal
component analysis, because existing ones start a just-in-time compiler in each of many small jobs.

The number of neighbors, the score and the minimum cells of a gene are Scrublet's. Others are ours:
the choice of genes; simulated doublets are thinned, since a doublet does not have all RNA of both
cells, and one with less noise than any cell would have no cell among its neighbors; and the call.
A cell is called if it has as much evidence for two lineages (`mixtures`) as simulated doublets and
the estimated share of single cells among the calls is small (`threshold`). Scrublet takes the
minimum between the two modes of the simulated doublets' scores.

References
----------
.. [1] Wolock, Lopez, Klein, Cell Syst 8, 281-291 (2019), doi 10.1016/j.cels.2018.11.005.
"""

from dataclasses import dataclass

import faiss
import numpy as np
from scipy import sparse

from lammscope.core.pca import approximate_components, principal_components
from lammscope.core.rates import cell_totals, normalize
from lammscope.core.runtime import logger
from lammscope.ingest.doublets.lineages import (
    Profiles,
    cluster_profiles,
    have_own_genes,
    marker_columns,
)
from lammscope.ingest.doublets.mixtures import evidence_of_both, find_mixtures
from lammscope.ingest.doublets.threshold import MAX_RATE, KnownRate, call_threshold, estimate_rate

CHUNK = 2_000  # cells processed at a time
PART = 20_000  # simulated doublets processed at a time, and cells whose neighbors are searched
EXACT_CELLS = 500  # of more, components are approximate; our choice: less is saved with fewer
EXACT_POINTS = 10_000  # of more, neighbors are searched in an inverted file
N_PROBES = 16  # its lists searched for each point: 99.8 % of the neighbors among 15,000 points
TRAINING_POINTS = 40  # per list; faiss recommends 39 at least

# Changes of the area under the curve (AUC), for telling hashed or simulated doublets from single
# cells, were measured with one constant changed at a time.
MIN_SEEN = 3  # cells that express a gene: Scrublet's `min_cells`; 10 changes the AUC by 0.001
COMMON_CV2 = 0.3  # of any gene between cells; our choice, 0 to 1 change the AUC by 0.001
NEIGHBORS_PER_ROOT = 0.5  # Scrublet's 0.5 sqrt(cells); 0.25 and 1 change the AUC by under 0.01
MIN_NEIGHBORS = 10  # our choice: fewer make the share too coarse; applies below 361 cells
NO_MEAN = 1e-12  # replaces a mean of 0, of genes that are left out anyway
KEPT_RNA = (0.5, 1.0)  # share of the RNA of both cells in a simulated doublet; our choice
SINGLE = 0.25  # cells with fewer simulated neighbors than all but this share of the simulated
# doublets have are taken as single for the profiles; with 0.5 a third of planted doublets are
MIN_SUPPORT = 10.0  # log likelihood by which two lineages must explain a cell better; our choice
MIN_EVIDENCE = 3.0  # the same for each lineage, of its own genes being seen; our choice. With 2,
# some more doublets are found, and more T cells of a shallow library called
GROUP = 5  # a called cell and the nearest called ones, tried as a rare population; our choice


@dataclass(frozen=True)
class Channel:
    """The cells of a channel and its simulated doublets.

    Attributes
    ----------
    cells
        Counts (x genes) of variable genes and markers.
    simulated
        The same of simulated doublets, in parts of at most `PART` rows.
    symbols
        Those genes' symbols.
    points
        Cells, then simulated doublets (x components).
    share
        Of simulated doublets among the neighbors, in the same order.
    """

    cells: sparse.csr_array
    simulated: list[sparse.csr_array]
    symbols: np.ndarray
    points: np.ndarray
    share: np.ndarray

    @property
    def n_cells(self) -> int:
        """The number of cells."""
        return int(self.cells.shape[0])


def score_doublets(
    counts: sparse.csr_array,
    *,
    symbols: np.ndarray,
    rate: float,
    simulated_per_cell: float,
    n_pcs: int,
    n_genes: int,
    max_false_pct: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Score the cells of one channel and call doublets.

    Parameters
    ----------
    counts
        Cells x genes, all cells of the channel that pass QC.
    symbols
        The genes' symbols.
    rate
        Expected doublets, as a share of the cells: the prior of the score, and used for the calls
        if the rate cannot be estimated, or in any case if it is a `KnownRate`.
    simulated_per_cell
        Simulated doublets per observed cell.
    n_pcs, n_genes
        Components and genes used to find neighbors.
    max_false_pct
        Maximum estimated % of the cells that are single and called.
    rng
        Source of randomness.

    Returns
    -------
    scores
        Posterior probability of a doublet per cell, 0 to 1.
    doublets
        The called doublets.
    """
    channel = _simulate(
        counts,
        symbols=symbols,
        n_simulated=int(simulated_per_cell * counts.shape[0]),
        n_pcs=n_pcs,
        n_genes=n_genes,
        rng=rng,
    )
    totals = cell_totals(counts)
    called = _call(
        channel,
        totals=totals,
        rate=rate,
        max_false_pct=max_false_pct,
        rng=rng,
    )
    observed = channel.share[: channel.n_cells]
    return _posterior(observed, ratio=simulated_per_cell, rate=rate), called


def _simulate(
    counts: sparse.csr_array,
    *,
    symbols: np.ndarray,
    n_simulated: int,
    n_pcs: int,
    n_genes: int,
    rng: np.random.Generator,
) -> Channel:
    """Add simulated doublets to a channel, and find their share among the neighbors."""
    n_cells = counts.shape[0]
    variable = _variable(counts, n_genes)
    columns = np.union1d(variable, marker_columns(symbols))
    variable = np.searchsorted(columns, variable)
    counts = counts[:, columns]
    pairs = rng.integers(0, n_cells, size=(n_simulated, 2))
    values = _log_rates(counts[:, variable])
    space = (
        approximate_components(values, n_components=n_pcs, rng=rng)
        if n_cells > EXACT_CELLS
        else principal_components(values, n_components=min(n_pcs, n_cells - 1))
    )
    points, parts = [space.project(values)], []
    thinned = _thinned(counts, rng=rng)
    for some in np.array_split(pairs, len(pairs) // PART + 1):
        sums = thinned[some[:, 0]] + thinned[some[:, 1]]
        parts.append(sums)
        points.append(space.project(_log_rates(sums[:, variable])))
    found = np.concatenate(points)
    share = _simulated_neighbors(found, n_cells=n_cells)
    return Channel(counts, parts, symbols[columns], found, share)


def _thinned(counts: sparse.csr_array, *, rng: np.random.Generator) -> sparse.csr_array:
    """Keep a random part of each cell's UMIs: what it adds to doublets."""
    kept = np.repeat(rng.uniform(*KEPT_RNA, size=counts.shape[0]), np.diff(counts.indptr))
    # most entries are one UMI, which takes no binomial
    data = (rng.random(counts.nnz, dtype=np.float32) < kept).astype(counts.dtype)
    several = np.flatnonzero(counts.data > 1)
    data[several] = rng.binomial(counts.data[several], kept[several])
    thinned = sparse.csr_array((data, counts.indices.copy(), counts.indptr.copy()), counts.shape)
    thinned.eliminate_zeros()
    return thinned


def _simulated_neighbors(points: np.ndarray, *, n_cells: int) -> np.ndarray:
    """Return the share of simulated doublets, which follow the cells, among the neighbors."""
    n_neighbors = max(MIN_NEIGHBORS, round(NEIGHBORS_PER_ROOT * np.sqrt(n_cells)))
    n_adjusted = round(n_neighbors * len(points) / n_cells)
    is_large = len(points) > EXACT_POINTS
    index = _inverted_file(points) if is_large else faiss.IndexFlatL2(points.shape[1])
    index.add(points)
    n_simulated = np.concatenate(
        [
            (index.search(some, n_adjusted + 1)[1][:, 1:] >= n_cells).sum(axis=1)
            for some in np.array_split(points, len(points) // PART + 1)
        ]
    )
    # as in Scrublet, the posterior mean of the share under a flat prior
    return np.asarray((n_simulated + 1) / (n_adjusted + 2))


def _inverted_file(points: np.ndarray) -> faiss.Index:
    size = points.shape[1]
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(size), size, int(np.sqrt(len(points))))
    index.cp.max_points_per_centroid = TRAINING_POINTS
    index.nprobe = N_PROBES
    index.train(points)
    return index


def _call(
    channel: Channel,
    *,
    totals: np.ndarray,
    rate: float,
    max_false_pct: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Call doublets of two lineages, and others that few single cells resemble."""
    n_cells = channel.n_cells
    observed, simulated = np.split(channel.share, [n_cells])
    single = np.flatnonzero(observed <= np.quantile(simulated, SINGLE))
    if not len(single):
        return np.zeros(n_cells, dtype=bool)
    profiles = _profiles(channel, single, totals=totals, rng=rng)
    of_two = _rank_of_two(channel, profiles)
    estimate = estimate_rate(*of_two)
    if np.isnan(estimate) and (profiles.lineages != "").any():
        logger.info("doublets: none called, as nearly all cells have one lineage")
        return np.zeros(n_cells, dtype=bool)
    of_lineages = np.isfinite(estimate) and estimate <= MAX_RATE
    scores, used = (of_two, estimate) if of_lineages else ((observed, simulated), rate)
    if isinstance(rate, KnownRate):
        used = rate
    called = scores[0] >= call_threshold(*scores, rate=used, max_false_pct=max_false_pct)
    called &= ~_rare(channel, called, profiles)
    logger.info(
        "doublets: %s rate %.2g %%, %s; %.2g %% used",
        *(
            "known" if isinstance(rate, KnownRate) else "expected",
            100 * rate,
            f"{100 * estimate:.2g} % estimated" if of_lineages else "which cannot be estimated",
            100 * used,
        ),
    )
    return called


def _profiles(
    channel: Channel, single: np.ndarray, *, totals: np.ndarray, rng: np.random.Generator
) -> Profiles:
    """Return profiles of single cells, without those that first profiles show to be doublets."""
    for _ in range(2):
        profiles = cluster_profiles(
            channel.cells[single],
            channel.points[single],
            totals=totals[single],
            symbols=channel.symbols,
            rng=rng,
        )
        evidence, _ = _evidence(channel.cells[single], profiles)
        left = single[np.isinf(evidence)]
        if len(left) in (0, len(single)):
            break
        single = left
    return profiles


def _rank_of_two(channel: Channel, profiles: Profiles) -> tuple[np.ndarray, np.ndarray]:
    """Rank cells and simulated doublets by their evidence for two lineages.

    Returns
    -------
    tuple of ndarray
        The share of simulated doublets of the same two lineages with no more evidence, 0 to 1;
        minus infinity if there is too little evidence.
    """
    cells, of_cells = _evidence(channel.cells, profiles)
    found = [_evidence(part, profiles) for part in channel.simulated]
    simulated, of_simulated = (np.concatenate(values) for values in zip(*found, strict=True))
    ranks = np.full(len(cells), -np.inf), np.full(len(simulated), -np.inf)
    for number in np.unique(profiles.combinations):
        known = np.sort(simulated[(of_simulated == number) & np.isfinite(simulated)])
        for rank, evidence, kind in zip(
            ranks, (cells, simulated), (of_cells, of_simulated), strict=True
        ):
            chosen = (kind == number) & np.isfinite(evidence) & (len(known) > 0)
            n_lower = np.searchsorted(known, evidence[chosen], side="right")
            rank[chosen] = n_lower / max(len(known), 1)
    return ranks


def _evidence(counts: sparse.csr_array, profiles: Profiles) -> tuple[np.ndarray, np.ndarray]:
    """Return each cell's evidence for two lineages, and the number of their combination.

    The evidence is minus infinity if it is too little.
    """
    pair, support = find_mixtures(counts, profiles)
    evidence = np.full(len(support), -np.inf)
    better = np.flatnonzero(support >= MIN_SUPPORT)
    evidence[better] = evidence_of_both(counts[better], profiles, pair[better])
    kinds = profiles.combinations[pair] if len(profiles.pairs) else pair
    return np.where(evidence >= MIN_EVIDENCE, evidence, -np.inf), kinds


def _rare(channel: Channel, called: np.ndarray, profiles: Profiles) -> np.ndarray:
    """Return which called cells are a rare population with genes of its own."""
    rare = np.zeros(len(called), dtype=bool)
    cells = np.flatnonzero(called)
    if len(cells) < GROUP:
        return rare
    index = faiss.IndexFlatL2(channel.points.shape[1])
    index.add(channel.points[cells])
    _, groups = index.search(channel.points[cells], GROUP)
    rare[cells] = have_own_genes(channel.cells, cells[groups], profiles)
    return rare


def _log_rates(counts: sparse.csr_array) -> sparse.csr_array:
    return normalize(counts, cell_totals(counts))


def _posterior(share: np.ndarray, *, ratio: float, rate: float) -> np.ndarray:
    """Return Scrublet's score: the share of simulated neighbors, weighted by ratio and rate."""
    return share * rate / ratio / (1 - rate - share * (1 - rate - rate / ratio))


def _variable(counts: sparse.csr_array, n_genes: int) -> np.ndarray:
    """Return the columns of the genes that vary most for their mean, over a channel's cells."""
    n_cells, size = counts.shape
    n_seen = np.zeros(size, dtype=np.int64)
    total, square = np.zeros((2, size))
    for start in range(0, n_cells, CHUNK):
        chosen = slice(counts.indptr[start], counts.indptr[min(start + CHUNK, n_cells)])
        genes, values = counts.indices[chosen], counts.data[chosen].astype(float)
        n_seen += np.bincount(genes, minlength=size)
        total += np.bincount(genes, weights=values, minlength=size)
        square += np.bincount(genes, weights=values**2, minlength=size)
    mean, seen = total / n_cells, n_seen >= MIN_SEEN
    fano = np.where(seen, (square / n_cells - mean**2) / np.maximum(mean, NO_MEAN), -np.inf)
    # variance above the Poisson expectation and a common biological variance, similar to a z-score
    excess = np.where(seen, (fano - 1) / (1 + mean * COMMON_CV2), -np.inf)
    order = np.argsort(-excess, kind="stable")[:n_genes]
    return np.sort(order[np.isfinite(excess[order])])
