"""Simulated barcodes of ambient RNA, for p-values of the observed ones.

A simulated barcode grows by one UMI at a time, and its log-likelihood is compared with those of the
observed barcodes each time its total is theirs, as in DropletUtils (Lun et al. 2019). So one
simulation serves all totals. Simulations are processed in blocks that fit in the processor's cache.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from lammscope.core.rates import cell_totals
from lammscope.ingest.droplets.likelihood import Ambient, count_terms, deviance_terms

Statistic = Literal["likelihood", "deviance"]

BLOCK = 250_000  # UMIs simulated at a time
ROUNDING = 1e-10  # relative to the log-likelihood: equal counts, summed in another order, are equal


@dataclass(frozen=True)
class Comparison:
    """Observed barcodes compared with simulated ones of the same total.

    Attributes
    ----------
    hits
        Simulated barcodes that agree with the profile at most as well as the observed one.
    z_score
        Standard deviations by which the observed one agrees less than the mean simulated one; NaN
        if all simulated ones are equal. It still ranks barcodes without a hit.
    """

    hits: np.ndarray
    z_score: np.ndarray


def compare_with_simulated(
    counts: sparse.csr_array,
    *,
    ambient: Ambient,
    statistic: Statistic,
    n_iterations: int,
    rng: np.random.Generator,
) -> Comparison:
    """Compare each barcode with simulated ones of its total.

    Parameters
    ----------
    counts
        Barcodes x genes, each barcode with a UMI.
    ambient
        Model to simulate from, with a share above 0 where there are counts.
    statistic
        `likelihood` (as in DropletUtils) or `deviance` from the profile.
    n_iterations
        Simulated barcodes.
    rng
        Source of randomness.
    """
    totals, total_of = np.unique(cell_totals(counts), return_inverse=True)
    if not len(totals):
        return Comparison(np.zeros(0, dtype=np.int64), np.zeros(0))
    score = count_terms if statistic == "likelihood" else deviance_terms
    observed = score(counts, ambient=ambient)
    limit = observed + ROUNDING * np.abs(observed)
    positive = np.flatnonzero(ambient.profile)
    model = Ambient(ambient.profile[positive], ambient.concentration)
    sampler = _alias_table(model.profile)
    largest = int(totals[-1])
    hits = np.zeros(len(observed), dtype=np.int64)
    sums, squares = np.zeros((2, len(totals)))
    center = np.zeros(len(totals))
    block = max(BLOCK // largest, 1)
    for start in range(0, n_iterations, block):
        size = min(block, n_iterations - start)
        genes = _draw_genes(sampler, shape=(size, largest), rng=rng)
        if np.isfinite(model.concentration):
            _copy_earlier(genes, concentration=model.concentration, rng=rng)
        simulated = _cumulative_terms(genes, model, statistic)[:, totals.astype(np.intp) - 1]
        hits += (simulated[:, total_of] <= limit).sum(axis=0)
        if start == 0:
            center = simulated.mean(axis=0)  # sums of squares of small numbers are exact enough
        sums += (simulated - center).sum(axis=0)
        squares += ((simulated - center) ** 2).sum(axis=0)
    mean = sums / n_iterations
    spread = np.sqrt(np.maximum(squares / n_iterations - mean**2, 0))
    spread[spread < ROUNDING * np.abs(center)] = np.nan
    return Comparison(hits, ((center + mean)[total_of] - observed) / spread[total_of])


def _alias_table(profile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prepare draws in constant time (Walker's alias method): thresholds and alternatives."""
    threshold = (profile / profile.sum() * len(profile)).tolist()
    alternative = np.arange(len(profile), dtype=np.int32)
    below = [gene for gene, value in enumerate(threshold) if value < 1]
    above = [gene for gene, value in enumerate(threshold) if value >= 1]
    while below and above:
        small, large = below.pop(), above[-1]
        alternative[small] = large
        threshold[large] -= 1 - threshold[small]
        if threshold[large] < 1:
            below.append(above.pop())
    limits = np.array(threshold)
    limits[below + above] = 1.0  # what is left is 1 but for rounding
    return limits, alternative


def _draw_genes(
    sampler: tuple[np.ndarray, np.ndarray], *, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Draw the gene of each UMI (simulations x UMIs) independently."""
    limits, alternative = sampler
    uniform = rng.random(shape) * len(limits)
    genes = uniform.astype(np.int32)
    return np.where(uniform - genes < limits[genes], genes, alternative[genes])


def _copy_earlier(genes: np.ndarray, *, concentration: float, rng: np.random.Generator) -> None:
    """Make independent draws Dirichlet-multinomial, in place (Pólya's urn).

    UMI t (from 0) copies the gene of one of the t before it with probability t / (t + alpha).
    """
    length = genes.shape[1]
    before = np.arange(length)
    uniform = rng.random(genes.shape) * (concentration + before)
    copies = np.flatnonzero(uniform < before)
    source = np.arange(genes.size, dtype=np.int32)
    source[copies] = uniform.ravel()[copies].astype(np.int32) + copies // length * length
    unsettled = copies
    while len(unsettled):  # copies of copies: halves the way to the first UMI each time
        nearer = source[source[unsettled]]
        moved = nearer != source[unsettled]
        unsettled = unsettled[moved]
        source[unsettled] = nearer[moved]
    flat = genes.reshape(-1)
    flat[copies] = flat[source[copies]]


def _cumulative_terms(genes: np.ndarray, ambient: Ambient, statistic: Statistic) -> np.ndarray:
    """Compute the statistic of the first 1, 2, ... UMIs of each simulated barcode."""
    length = genes.shape[1]
    bits = length.bit_length()
    order = np.arange(length)
    # one sort by gene, then time: the rank of a UMI within its gene is the count before it
    kind = np.dtype(np.uint32 if (len(ambient.profile) << bits) < 2**32 else np.uint64)
    keys = (genes.astype(kind) << kind.type(bits)) | order.astype(kind)
    keys.sort(axis=1)
    sorted_genes, time = keys >> kind.type(bits), keys & kind.type((1 << bits) - 1)
    first = np.ones(genes.shape, dtype=bool)
    first[:, 1:] = sorted_genes[:, 1:] != sorted_genes[:, :-1]
    earlier = order - np.maximum.accumulate(np.where(first, order, 0), axis=1)
    terms = _added(statistic, ambient, sorted_genes, earlier)
    in_time = np.empty_like(terms)
    np.put_along_axis(in_time, time.astype(np.intp), terms, axis=1)
    return np.cumsum(in_time, axis=1, out=in_time)


def _added(
    statistic: Statistic, ambient: Ambient, genes: np.ndarray, earlier: np.ndarray
) -> np.ndarray:
    """Compute what a UMI of each gene adds to the statistic, given the earlier UMIs of the gene."""
    numbers = np.arange(earlier.max() + 2)
    logs = np.log(np.maximum(numbers, 1))
    own = np.diff(numbers * logs) if statistic == "deviance" else logs[1:]
    if statistic == "likelihood" and np.isfinite(ambient.concentration):
        prior = ambient.concentration * ambient.profile
        return np.asarray(np.log(prior[genes] + earlier) - own[earlier])
    return np.asarray(np.log(ambient.profile)[genes] - own[earlier])
