"""A quick look at the lineage of barcodes, so that limits spare lineages with much or little RNA.

The lineage is that of the markers that a barcode expresses most, relative to their usual level. It
steers quality control only; cells are annotated later, from clusters and the marker panel.
"""

import numpy as np
from scipy.special import pdtrc

from lammscope.core.names import PER
from lammscope.core.rates import cell_totals
from lammscope.core.shards import Shard
from lammscope.ingest.lineage_markers import LITTLE_RNA, MARKERS, marker_symbols

OTHER = "other"  # no lineage below

MIN_UMIS = 2  # of a lineage's markers; our choice
MIN_LEVEL = 0.25  # of their usual level: less may be ambient RNA; our choice
# Of as many markers in ambient RNA: of some thousand droplets without a cell, hardly one is kept;
# our choice.
MAX_P = 1e-4
# UMIs that the profile of ambient RNA counts for beside those of the barcodes called ambient; our
# choice.
PRIOR_UMIS = 5_000
MAX_ROUNDS = 10  # far more than are needed


def quick_lineages(shard: Shard) -> np.ndarray:
    """Return the likely lineage of each barcode, `other` where no markers stand out.

    Returns
    -------
    ndarray of str
        A key of `MARKERS` or `other`, shape (barcodes,).
    """
    symbols = marker_symbols(shard.genes)
    totals = np.maximum(cell_totals(shard.counts), 1)
    names = np.array([*MARKERS, OTHER])
    of_lineage = np.array([symbols.isin(markers.split()) for _, markers in MARKERS.values()])
    chosen = np.flatnonzero(of_lineage.any(axis=0))
    seen = shard.counts[:, chosen] @ of_lineage[:, chosen].T.astype(np.int64)
    levels = np.array([level for level, _ in MARKERS.values()])
    scores = np.full((len(totals), len(names)), MIN_LEVEL)
    scores[:, :-1] = np.where(seen >= MIN_UMIS, PER * seen / totals[:, None] / levels, 0.0)
    return names[np.argmax(scores, axis=1)]


def are_small_cells(
    shard: Shard, lineages: np.ndarray, *, ambient: np.ndarray, profile: np.ndarray
) -> np.ndarray:
    """Tell which barcodes have more markers of a lineage with little RNA than ambient RNA has.

    Platelets and neutrophils have so few UMIs, many of them ambient, that a test of all genes
    misses a part of them.

    Parameters
    ----------
    shard
        Counts of the barcodes.
    lineages
        Their likely lineage, from `quick_lineages`.
    ambient
        Barcodes that seem to hold ambient RNA only (bool).
    profile
        Share of each gene in ambient RNA.

    Returns
    -------
    ndarray of bool
        One per barcode.
    """
    symbols = marker_symbols(shard.genes)
    totals = cell_totals(shard.counts)
    found = np.zeros(len(totals), dtype=bool)
    for lineage in LITTLE_RNA:
        genes = np.flatnonzero(symbols.isin(MARKERS[lineage][1].split()))
        seen = cell_totals(shard.counts[:, genes]).astype(np.float64)
        p_value = _p_in_ambient(seen, totals, ambient=ambient, share=float(profile[genes].sum()))
        found |= (lineages == lineage) & (p_value <= MAX_P)
    return found


def _p_in_ambient(
    seen: np.ndarray, totals: np.ndarray, *, ambient: np.ndarray, share: float
) -> np.ndarray:
    """Return the p of as many UMIs of markers in ambient RNA (Poisson), per barcode.

    Their share in ambient RNA is that of the barcodes called ambient, without those whose p is low.
    The profile alone may have several times as much: in a filtered matrix it is that of the
    smallest barcodes, and some of these are platelets.
    """
    low = np.zeros(len(seen), dtype=bool)
    for _ in range(MAX_ROUNDS):
        of_soup = ambient & ~low
        umis = seen[of_soup].sum() + PRIOR_UMIS * share
        p_value = pdtrc(seen - 1, totals * umis / (totals[of_soup].sum() + PRIOR_UMIS))
        if (low == (p_value <= MAX_P)).all():
            break
        low = p_value <= MAX_P
    return np.asarray(p_value)
