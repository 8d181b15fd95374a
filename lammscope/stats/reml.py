"""What models with variances fitted by restricted maximum likelihood (REML) share.

Arrays of many features at once; `weight` is the inverse variance of each value, features x samples.
"""

import numpy as np

from lammscope.stats import Array


def projection(design: Array, weight: Array) -> tuple[Array, Array]:
    """Return (X' W X)^-1, and W less what the design explains (Harville's P).

    Shapes are features x coefficients x coefficients and features x samples x samples.
    """
    weighted = design * weight[..., None]
    inverse = np.linalg.inv(design.T @ weighted)
    rest = -(weighted @ inverse @ np.swapaxes(weighted, 1, 2))
    at = np.arange(len(design))
    rest[:, at, at] += weight
    return inverse, rest


def uncertainty(effect: Array, rest: Array, parts: Array) -> tuple[Array, Array]:
    """Return the covariance of fitted variances, and what it adds to the variance of an estimate.

    The covariance is the inverse of the expected information. The addition is that of Kenward and
    Roger (1997, doi 10.2307/2533558): 2 x the sum over variances of W_kl (Q_kl - P_k Phi P_l), seen
    by one coefficient.

    Parameters
    ----------
    effect
        Features x samples: d estimate / d value.
    rest
        From `projection`.
    parts
        Variances x samples: how much of each variance a value holds.

    Returns
    -------
    Features x variances x variances, and one value per feature.
    """
    spread = np.linalg.pinv(parts @ rest**2 @ parts.T / 2, hermitian=True)
    scaled = effect[:, None] * parts  # features x variances x samples
    inner = scaled @ rest @ np.swapaxes(scaled, 1, 2)
    return spread, np.asarray(2 * np.sum(spread * inner, axis=(1, 2)))
