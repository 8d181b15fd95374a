"""Simulated barcodes of ambient RNA, for p-values of the observed ones.

A simulated barcode grows by one UMI at a time, and its log-likelihood is compared with those of the
observed barcodes each time its total is theirs, as in DropletUtils (Lun et al. 2019). So one
simulation serves all totals. Simulations are processed in blocks that fit in the processor's cache.
"""

import numpy as np

from lammscope.ingest.droplets.likelihood import Ambient

BLOCK = 250_000  # UMIs simulated at a time
ROUNDING = 1e-10  # relative to the log-likelihood: equal counts, summed in another order, are equal


def count_as_unlikely(
    terms: np.ndarray,
    *,
    totals: np.ndarray,
    ambient: Ambient,
    n_iterations: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Count, per barcode, the simulated barcodes of its total that are at most as likely.

    Parameters
    ----------
    terms
        Log-likelihood of each observed barcode, from `count_terms`.
    totals
        Total UMIs of each, at least 1.
    ambient
        Model to simulate from.
    n_iterations
        Simulated barcodes.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        Number of simulations per barcode, from 0 to `n_iterations`.
    """
    hits = np.zeros(len(terms), dtype=np.int64)
    if not len(terms):
        return hits
    positive = np.flatnonzero(ambient.profile)
    model = Ambient(ambient.profile[positive], ambient.concentration)
    sampler = _alias_table(model.profile)
    largest = int(totals.max())
    observed = terms + ROUNDING * np.abs(terms)
    block = max(BLOCK // largest, 1)
    for start in range(0, n_iterations, block):
        size = min(block, n_iterations - start)
        genes = _draw_genes(sampler, shape=(size, largest), rng=rng)
        if np.isfinite(model.concentration):
            _copy_earlier(genes, concentration=model.concentration, rng=rng)
        simulated = _cumulative_terms(genes, model)
        hits += (simulated[:, totals - 1] <= observed).sum(axis=0)
    return hits


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


def _cumulative_terms(genes: np.ndarray, ambient: Ambient) -> np.ndarray:
    """Compute what `count_terms` gives for the first 1, 2, ... UMIs of each simulated barcode."""
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
    if np.isfinite(ambient.concentration):
        prior = ambient.concentration * ambient.profile
        terms = np.log(prior[sorted_genes] + earlier)
    else:
        terms = np.log(ambient.profile)[sorted_genes]
    terms -= np.log(order + 1.0)[earlier]
    in_time = np.empty_like(terms)
    np.put_along_axis(in_time, time.astype(np.intp), terms, axis=1)
    return np.cumsum(in_time, axis=1, out=in_time)
