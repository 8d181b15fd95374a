"""Knee and inflection of the curve of total UMIs against rank."""

from dataclasses import dataclass

import numpy as np

MIN_POINTS = 3  # distinct totals, as in DropletUtils


@dataclass(frozen=True)
class CurvePoints:
    """Total UMIs at the knee and at the inflection; NaN if there are too few distinct totals."""

    knee: float
    inflection: float


def barcode_ranks(totals: np.ndarray, *, lower: int, exclude_top: int) -> CurvePoints:
    """Find the knee and the inflection of the log-log curve of total UMIs against rank.

    Between its steepest part (the inflection) and the flattest part before it, the knee is the
    point farthest above the straight line through both ends, as in newer versions of DropletUtils
    [1]_. Older ones (1.18) take the strongest bend of a spline, which is unstable. Ranks of equal
    totals are averaged.

    In a poor library the curve bends where droplets with ambient RNA only begin, so that most
    barcodes above the knee hold no cell.

    Parameters
    ----------
    totals
        Total UMIs of each barcode.
    lower
        Barcodes with at most this many UMIs are left out (100 in DropletUtils).
    exclude_top
        Ranks up to this one do not decide where the curve is flat or steep (50 in DropletUtils):
        the few largest barcodes lie far apart.

    Returns
    -------
    CurvePoints
        In a good library, barcodes with at least `knee` UMIs hold a cell.

    References
    ----------
    .. [1] Lun et al., Genome Biol 20, 63 (2019), doi 10.1186/s13059-019-1662-y; `barcodeRanks`.
    """
    values, sizes = np.unique(totals[totals > lower], return_counts=True)
    values, sizes = values[::-1], sizes[::-1]
    if len(values) < MIN_POINTS:
        return CurvePoints(np.nan, np.nan)
    ranks = np.cumsum(sizes) - (sizes - 1) / 2
    x, y = np.log10(ranks), np.log10(values)
    slopes = np.diff(y) / np.diff(x)
    skipped = min(len(slopes) - 1, int((ranks <= exclude_top).sum()))
    right = skipped + int(np.argmin(slopes[skipped:]))
    left = skipped + int(np.argmax(slopes[skipped : right + 1]))
    between = slice(left, right + 1)
    return CurvePoints(float(values[left + _bend(x[between], y[between])]), float(values[right]))


def _bend(x: np.ndarray, y: np.ndarray) -> int:
    """Return the position of the point farthest above the line from the first to the last."""
    if len(x) < 4:
        return 0
    line = y[0] + (y[-1] - y[0]) / (x[-1] - x[0]) * (x - x[0])
    return int(np.argmax(y - line))
