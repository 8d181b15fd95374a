"""Share of each gene in ambient RNA, also of genes that were never seen in it."""

import numpy as np

CONFIDENCE = 1.96  # of a difference between raw and smoothed frequencies, as in edgeR


def ambient_profile(sums: np.ndarray, *, seen: np.ndarray) -> np.ndarray:
    """Estimate the share of each gene in ambient RNA, as DropletUtils does.

    Parameters
    ----------
    sums
        UMIs of each gene, summed over barcodes that hold ambient RNA only.
    seen
        Whether each gene has a UMI in any barcode. The others have a share of 0.

    Returns
    -------
    ndarray
        One share per gene, with sum 1, above 0 for every gene that was seen (Good-Turing [1]_; if
        no gene was counted exactly once, unseen ambient RNA has one UMI in total).

    Raises
    ------
    ValueError
        If there is no UMI.

    References
    ----------
    .. [1] Gale and Sampson, J Quant Linguist 2, 217-237 (1995), doi 10.1080/09296179508590051;
       `ambientProfileEmpty` of DropletUtils.
    """
    total = sums.sum()
    if not total:
        raise ValueError("no UMI in barcodes without a cell: ambient RNA cannot be estimated")
    shares = good_turing_proportions(sums[seen])
    unseen = shares <= 0
    if unseen.any():
        shares *= 1 - 1 / total
        shares[unseen] = 1 / total / unseen.sum()
    profile = np.zeros(len(sums))
    profile[seen] = shares
    return profile


def good_turing_proportions(counts: np.ndarray) -> np.ndarray:
    """Estimate proportions by simple Good-Turing, equal to edgeR's `goodTuringProportions`.

    The mass of categories that were not seen is estimated by the share of those seen once, and is
    divided among them equally. Frequencies of frequencies are smoothed by a line in log-log, from
    the first count on where the line is within the error of the raw frequencies. With only one
    distinct count there is no line, and the proportions are those of the counts.
    """
    present = counts > 0
    values, which, frequency = np.unique(counts[present], return_inverse=True, return_counts=True)
    if len(values) < 2:
        return np.asarray(counts / max(int(counts.sum()), 1))
    values = values.astype(np.float64)
    unseen = frequency[0] / counts.sum() if values[0] == 1 else 0.0
    adjusted = _adjusted_counts(values, frequency)
    shares = (1 - unseen) * adjusted / (adjusted * frequency).sum()
    result = np.full(len(counts), unseen / max(int((~present).sum()), 1))
    result[present] = shares[which]
    return result


def _adjusted_counts(values: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Return the expected count of a category in a new sample, for each distinct count."""
    before = np.concatenate([[0.0], values[:-1]])
    after = np.append(values[1:], 2 * values[-1] - before[-1])
    log_values = np.log(values)
    centered = log_values - log_values.mean()
    slope = centered @ np.log(2 * frequency / (after - before)) / (centered @ centered)
    smooth = (values + 1) * np.exp(slope * np.log1p(1 / values))

    following = np.append(np.where(np.diff(values) == 1, frequency[1:], 0), 0)
    ratio = following / frequency
    raw = (values + 1) * ratio
    error = CONFIDENCE * (values + 1) * np.sqrt(ratio * (1 + ratio) / frequency)
    differs = (following > 0) & (np.abs(raw - smooth) > error)
    adjusted: np.ndarray = np.where(np.logical_and.accumulate(differs), raw, smooth)
    return adjusted
