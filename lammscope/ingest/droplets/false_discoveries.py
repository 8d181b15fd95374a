"""False discovery rate among barcodes of similar size, as larger ones are more often cells."""

import numpy as np

from lammscope.ingest.droplets.empty_drops import adjusted

LARGEST = 50  # barcodes in the first group; the next ones have twice as many each; our choice


def adjusted_by_size(p_value: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Adjust p-values within groups of barcodes of similar size (stratified FDR [1]_).

    Among thousands of barcodes without a cell, a cell needs a very low p. Most of these barcodes
    have few UMIs, and of the largest barcodes many are cells, so these need a less low p among
    themselves. The rate of false discoveries holds within each group, and thus for all. Groups may
    depend on the total, as a p-value that compares barcodes of equal totals does not depend on it
    in ambient RNA.

    Parameters
    ----------
    p_value
        One per barcode; NaN stays NaN and does not count.
    totals
        UMIs of the barcodes.

    Returns
    -------
    ndarray
        Adjusted by Benjamini and Hochberg in each group: the 50 largest barcodes, the next 100,
        200, ...

    References
    ----------
    .. [1] Sun et al., Genet Epidemiol 30, 519-530 (2006), doi 10.1002/gepi.20164.
    """
    result = np.full(len(p_value), np.nan)
    order = np.argsort(-totals, kind="stable")
    start, size = 0, LARGEST
    while start < len(order):
        # a last group of few barcodes joins the one before
        end = start + size if start + 2 * size < len(order) else len(order)
        group = order[start:end]
        result[group] = adjusted(p_value[group])
        start, size = end, 2 * size
    return result
