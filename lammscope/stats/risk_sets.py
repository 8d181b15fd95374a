"""Who is at risk at the times of events, and the Cox likelihood with Firth's penalty.

Events at the same time are taken as Efron (1977, doi 10.1080/01621459.1977.10480613) does: as if
they followed each other in unknown order.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lammscope.stats import Array

Events = NDArray[np.bool_]


@dataclass(frozen=True)
class Penalized:
    """The penalized log likelihood, its slope and negative curvature, and the information."""

    likelihood: float
    slope: Array
    curvature: Array
    information: Array


@dataclass(frozen=True)
class RiskSets:
    """Who is at risk when each event happens, events in the order of time.

    `times` is (m,), and `share` m x n: 1 for patients at risk, 0 for the others. Of d events at the
    same time, the j-th (from 0) has a share of 1 - j / d of each of them. `x` is n x k, and `total`
    (k,) its sum over events.
    """

    times: Array
    share: Array
    x: Array
    total: Array

    @classmethod
    def of(cls, time: Array, event: Events, x: Array) -> "RiskSets":
        """Return the risk sets of patients; columns are centered, which changes no estimate."""
        x = x - x.mean(axis=0)
        distinct, deaths = np.unique(time[event], return_counts=True)
        times = np.repeat(distinct, deaths)
        gone = np.concatenate([np.arange(d) / d for d in deaths])
        share = (time >= times[:, None]) - gone[:, None] * (event & (time == times[:, None]))
        return cls(times, share, x, x[event].sum(axis=0))

    def weights(self, coef: Array) -> tuple[Array, Array]:
        """Return each patient's part of the hazard at each event, and the log of the sum."""
        score = np.where(self.share > 0, self.x @ coef, -np.inf)
        most = score.max(axis=1, keepdims=True)
        weight = self.share * np.exp(score - most)
        total = weight.sum(axis=1, keepdims=True)
        return weight / total, (most + np.log(total))[:, 0]

    def moments(self, coef: Array) -> tuple[Array, Array, Array]:
        """Return parts of the hazard (m x n), means (m x k) and differences (m x n x k)."""
        weight, _ = self.weights(coef)
        mean = weight @ self.x
        return weight, mean, self.x - mean[:, None]

    def penalized(self, coef: Array) -> Penalized:
        """Compute the penalized likelihood and its derivatives.

        The derivatives of the information are the third and fourth cumulants of the columns over
        the patients at risk.
        """
        k = len(coef)
        weight, log_sum = self.weights(coef)
        mean = weight @ self.x
        apart = self.x - mean[:, None]
        pairs = (apart[..., :, None] * apart[..., None, :]).reshape(*weight.shape, k * k)
        second = np.einsum("tn,tna->ta", weight, pairs)
        information = second.sum(axis=0).reshape(k, k)
        sign, log_det = np.linalg.slogdet(information)
        if not (sign > 0 and np.isfinite(log_det)):
            nothing = np.full((k, k), np.nan)
            return Penalized(-np.inf, nothing[0], nothing, information)
        flat = pairs.reshape(-1, k * k)
        weighted = (flat * weight.reshape(-1, 1)).T
        third = (weighted @ apart.reshape(-1, k)).reshape(k, k, k)
        outer = np.einsum("ta,tb->ab", second, second).reshape(k, k, k, k)
        fourth = (weighted @ flat).reshape(k, k, k, k) - outer
        fourth -= outer.transpose(0, 2, 1, 3) + outer.transpose(0, 2, 3, 1)
        inverse = np.linalg.inv(information)
        inner = np.einsum("ij,jkr->ikr", inverse, third)
        bend = np.einsum("ij,ijrs->rs", inverse, fourth) - np.einsum("ikr,kis->rs", inner, inner)
        return Penalized(
            float(self.total @ coef - log_sum.sum() + log_det / 2),
            self.total - mean.sum(axis=0) + np.einsum("iir->r", inner) / 2,
            information - bend / 2,
            information,
        )
