"""Barcodes that hold ambient RNA and no cell.

With the nearly empty barcodes of a raw matrix, the profile of ambient RNA is known, and barcodes
are tested against it as by EmptyDrops. A filtered matrix has none. In a poor library it can hold
more droplets with ambient RNA than cells; then its smallest barcodes are draws from one profile,
while the smallest cells of a good library differ from each other more than larger ones do. Only
such a library is tested, and its smallest barcodes are the ambient RNA.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lammscope.core.rates import cell_totals, take_cells
from lammscope.ingest.droplets.empty_drops import EmptyDropsSettings, monte_carlo_test
from lammscope.ingest.droplets.false_discoveries import adjusted_by_size
from lammscope.ingest.droplets.likelihood import Ambient
from lammscope.ingest.droplets.low_barcodes import (
    LowBarcodes,
    fit_concentration,
    summarize_low_barcodes,
)
from lammscope.ingest.droplets.profile import ambient_profile
from lammscope.ingest.droplets.ranks import barcode_ranks

EMPTY, SMALLEST = "empty droplets", "smallest barcodes"  # sources of the profile
MAX_FDR = 0.01  # of barcodes that differ from ambient RNA; as in Cell Ranger
MAX_COUNTS = 2_000  # UMIs tested per barcode, which bounds the time; our choice
# Barcodes with more UMIs than that are nearly always kept for their size, which takes the p of some
# of them: as many as this are drawn, and the others are tested only if not kept. Our choice.
MAX_LARGE = 300
MIN_SHARE = 0.001  # rarer genes are summed; see `EmptyDropsSettings`
# Simulations. Barcodes that are called ambient with the lowest possible p are tested again with
# more, as DropletUtils' manual advises: a poor library of 50 cells needs lower p.
N_ITERATIONS, MORE_ITERATIONS = 2_000, 10_000
EXCLUDE_TOP = 10  # ranks; 50 in DropletUtils, but a poor library has only 50 cells
# Barcodes above the inflection are kept if more than this share has p below 0.05. In ambient RNA,
# 5 % do; of T cells of 1,500 UMIs in ambient RNA of T cells only, half or more.
MOST, LOW_P = 0.4, 0.05

MIN_UMIS = 5_000  # of the ambient profile: fewer say too little about most genes; our choice
MIN_LOW = 100  # barcodes in a fifth of a filtered matrix, to know their variation; our choice
# Concentration of the smallest fifth of the barcodes, and its ratio to the next fifth, in 25
# filtered matrices of eight data sets, good and poor: at most 11,200, with ratios of at most 0.80
# where it is above 3,500. Barcodes drawn from one profile: above 100,000, with ratios near 1.
MIN_CONCENTRATION = 5_000
MIN_RATIO = 0.9
# Nearly empty barcodes that vary more tell nothing: in a library of 1 to 4 UMIs a barcode it was 1.
LEAST_CONCENTRATION = 100
NEARLY_MULTINOMIAL = 30_000  # of no cells: the ratio need not be looked at
# Nearly empty barcodes per other one in a raw matrix; a filtered one may have some, too.
MIN_EMPTY = 1
SDS_ABOVE = 3  # of log UMIs: no droplet without a cell is that far above their mean; our choice


@dataclass(frozen=True)
class AmbientCalls:
    """Which barcodes hold ambient RNA only.

    Attributes
    ----------
    is_ambient
        Per barcode (bool).
    source
        What the ambient profile comes from: `empty droplets` (a raw matrix), `smallest barcodes`
        (of a poor filtered library), or `` if nothing was tested.
    profile
        Share of each gene in ambient RNA; zeros if nothing was tested.
    """

    is_ambient: np.ndarray
    source: str
    profile: np.ndarray


def find_ambient(
    counts: sparse.csr_array, *, ambient_max_counts: int, rng: np.random.Generator
) -> AmbientCalls:
    """Find the barcodes of a matrix that hold ambient RNA and no cell.

    Parameters
    ----------
    counts
        All barcodes of a matrix x genes.
    ambient_max_counts
        Barcodes with fewer UMIs are nearly empty: they give the profile, and are not tested.
    rng
        Source of randomness.
    """
    totals = cell_totals(counts)
    seen = np.zeros(counts.shape[1], dtype=bool)
    seen[counts.indices] = True
    empty = summarize_low_barcodes(counts, totals=totals, lower=ambient_max_counts - 1)
    tested = np.flatnonzero(totals >= ambient_max_counts)
    untested = AmbientCalls(np.zeros(len(totals), dtype=bool), "", np.zeros(len(seen)))
    is_raw = empty.n_barcodes >= max(MIN_LOW, MIN_EMPTY * len(tested))
    if is_raw and empty.sums.sum() >= MIN_UMIS and len(tested):
        source, ambient = EMPTY, _model(empty, seen)
    else:
        low = _smallest_if_ambient(counts, totals, seen=seen, rng=rng)
        if low is None:
            return untested
        source, ambient = SMALLEST, _model(low, seen)
    if ambient.concentration < LEAST_CONCENTRATION:
        return untested
    kept = _have_cells(take_cells(counts, tested), totals[tested], ambient=ambient, rng=rng)
    is_ambient = np.zeros(len(totals), dtype=bool)
    is_ambient[tested[~kept]] = True
    return AmbientCalls(is_ambient, source, ambient.profile)


def _have_cells(
    counts: sparse.csr_array, totals: np.ndarray, *, ambient: Ambient, rng: np.random.Generator
) -> np.ndarray:
    """Return which barcodes hold a cell."""

    def p_of(rows: np.ndarray, n_iterations: int) -> np.ndarray:
        settings = EmptyDropsSettings(
            retain=np.inf,
            max_counts=MAX_COUNTS,
            n_iterations=n_iterations,
            statistic="deviance",
            min_share=MIN_SHARE,
        )
        return monte_carlo_test(counts[rows], ambient=ambient, settings=settings, rng=rng)[0]

    first = _first_tested(totals, rng=rng)
    p_value = np.full(len(totals), np.nan)
    p_value[first] = p_of(first, N_ITERATIONS)
    retained = _retained(totals, p_value)
    rest = np.flatnonzero(np.isnan(p_value) & ~retained)
    if len(rest):
        p_value[rest] = p_of(rest, N_ITERATIONS)
    kept = _kept(p_value, retained, totals)
    limited = np.flatnonzero(~kept & (p_value <= 1 / (N_ITERATIONS + 1)))
    if not len(limited):
        return kept
    p_value[limited] = p_of(limited, MORE_ITERATIONS)
    return _kept(p_value, retained, totals)


def _kept(p_value: np.ndarray, retained: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return the barcodes that are retained, or differ from ambient RNA."""
    fdr = adjusted_by_size(np.where(retained, 0, p_value), totals)
    return np.asarray(retained | (fdr <= MAX_FDR))


def _model(low: LowBarcodes, seen: np.ndarray) -> Ambient:
    profile = ambient_profile(low.sums, seen=seen)
    return Ambient(profile, fit_concentration(low, profile=profile))


def _smallest_if_ambient(
    counts: sparse.csr_array, totals: np.ndarray, *, seen: np.ndarray, rng: np.random.Generator
) -> LowBarcodes | None:
    """Return the smallest fifth of the barcodes if they are draws from one profile, else None."""
    order = np.argsort(totals, kind="stable")
    size = len(order) // 5
    smallest, following = order[:size], order[size : 2 * size]
    if size < MIN_LOW or totals[smallest].sum() < MIN_UMIS:
        return None
    concentration = _concentration(counts[smallest], seen=seen, rng=rng)
    if concentration < MIN_CONCENTRATION:
        return None
    if concentration < NEARLY_MULTINOMIAL:
        others = _concentration(counts[following], seen=seen, rng=rng)
        if concentration < MIN_RATIO * others:
            return None
    return _all_of(counts[smallest])


def _concentration(
    counts: sparse.csr_array, *, seen: np.ndarray, rng: np.random.Generator
) -> float:
    """Estimate how little barcodes vary around the profile of others of their kind."""
    order = rng.permutation(counts.shape[0])
    halves = [_all_of(counts[np.sort(half)]) for half in np.array_split(order, 2)]
    profiles = [ambient_profile(half.sums, seen=seen) for half in halves]
    pairs = zip(halves, profiles[::-1], strict=True)
    fits = [fit_concentration(half, profile=profile) for half, profile in pairs]
    return float(np.exp(np.mean(np.log(fits))))


def _all_of(counts: sparse.csr_array) -> LowBarcodes:
    totals = cell_totals(counts)
    return summarize_low_barcodes(counts, totals=totals, lower=int(totals.max()))


def _first_tested(totals: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Return all barcodes of up to `MAX_COUNTS` UMIs, and some of the others, in order."""
    large = np.flatnonzero(totals > MAX_COUNTS)
    if len(large) > MAX_LARGE:
        large = rng.choice(large, MAX_LARGE, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(totals <= MAX_COUNTS), large]))


def _retained(totals: np.ndarray, p_value: np.ndarray) -> np.ndarray:
    """Return the barcodes that are cells although their profile may be that of ambient RNA.

    Ambient RNA of a library of mostly one type has the profile of these cells. So barcodes are kept
    above the inflection of the curve of total UMIs, where it falls most steeply from cells to
    droplets without one, if many above it have a low p. In a poor library the curve may fall within
    ambient RNA; then, barcodes are kept that are larger than droplets with ambient RNA only.
    Barcodes whose p is NaN are not looked at.
    """
    known = ~np.isnan(p_value)
    is_low = p_value < LOW_P
    above = totals >= barcode_ranks(totals, lower=0, exclude_top=EXCLUDE_TOP).inflection
    if (above & known).any() and is_low[above & known].mean() > MOST:
        return np.asarray(above)
    sizes = np.log(totals[known & ~is_low])
    largest = np.exp(sizes.mean() + SDS_ABOVE * sizes.std()) if len(sizes) else 0.0
    return np.asarray(totals >= largest)
