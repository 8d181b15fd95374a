"""Which cells are doublets, by comparing the scores of cells with those of simulated doublets.

The cells are a mixture: a share of them, the rate, are doublets and score like simulated ones.
Above a score that most simulated doublets reach and few single cells, the number of cells gives the
rate; lower down there are more cells than the rate predicts, and the excess estimates how many
single cells would be called (a false discovery rate [1]_).

References
----------
.. [1] Efron, Tibshirani, Storey, Tusher, J Am Stat Assoc 96, 1151-1160 (2001).
"""

import numpy as np

# Our choices, tried on the libraries of `benchmarks.doublets`
N_STEPS = 40  # thresholds that are compared
TOP = (0.7, 0.95)  # the rate is estimated above thresholds that this share of the scored pass;
# the highest ratio is taken, as cells that are doublets score a little lower than simulated ones
MIN_SIMULATED = 40  # with fewer scored ones, doublets cannot be told from the channel's cells
MAX_FALSE_SHARE = 0.5  # of the called cells
MAX_RATE = 0.25  # a higher estimate means that simulated doublets are like single cells: in a 10x
# channel it would take over 30,000 cells


class KnownRate(float):
    """A share of doublets that is known for the channel and replaces the estimated one."""


def estimate_rate(observed: np.ndarray, simulated: np.ndarray) -> float:
    """Estimate the rate of doublets: the ratio of cells to simulated doublets.

    Parameters
    ----------
    observed, simulated
        Scores of cells and of simulated doublets; minus infinity for those that cannot be told
        from single cells.

    Returns
    -------
    float
        The rate, as a share of the cells; NaN if too few simulated doublets have a score.
    """
    thresholds, tail = _thresholds(simulated)
    if not len(thresholds):
        return np.nan
    scored = np.isfinite(simulated).mean()
    at_top = (tail >= TOP[0] * scored) & (tail <= TOP[1] * scored)
    if not at_top.any():
        return np.nan
    above = _n_above(observed, thresholds[at_top])
    return float(min((above / len(observed) / tail[at_top]).max(), 1))


def call_threshold(
    observed: np.ndarray, simulated: np.ndarray, *, rate: float, max_false_pct: float
) -> float:
    """Return the score from which cells are doublets.

    Parameters
    ----------
    observed, simulated
        As in `estimate_rate`.
    rate
        Doublets, as a share of the cells.
    max_false_pct
        Maximum estimated % of the cells that are single and called.

    Returns
    -------
    float
        The lowest score above which no more are; infinity if there is none, or if more than
        `MAX_FALSE_SHARE` of the called cells would be single.
    """
    thresholds, tail = _thresholds(simulated)
    called = _n_above(observed, thresholds)
    expected = rate * len(observed) * tail
    false = called - expected
    allowed = (false <= max_false_pct / 100 * len(observed)) & (false <= MAX_FALSE_SHARE * called)
    return float(thresholds[allowed].min()) if allowed.any() else np.inf


def _thresholds(simulated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return possible thresholds and the share of simulated doublets above each."""
    ordered = np.sort(simulated[np.isfinite(simulated)])
    if len(ordered) < MIN_SIMULATED:
        return np.zeros(0), np.zeros(0)
    thresholds = np.unique(ordered[np.linspace(0, len(ordered) - 1, N_STEPS).astype(int)])
    return thresholds, _n_above(simulated, thresholds) / len(simulated)


def _n_above(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Count the scores at or above each threshold."""
    return np.asarray(len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left"))
