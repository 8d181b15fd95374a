"""Who is at risk at the times of events, and the Cox likelihood with Firth's penalty.

Tied times are Breslow's: all who have an event at a time are at risk for each of them.
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
    """Who is at risk at each time with events.

    `at_risk` is m x n, `deaths` (m,), `x` n x k, and `total` (k,) the sum of `x` over events.
    """

    at_risk: Events
    deaths: Array
    x: Array
    total: Array

    @classmethod
    def of(cls, time: Array, event: Events, x: Array) -> "RiskSets":
        """Return the risk sets of patients; columns are centered, which changes no estimate."""
        x = x - x.mean(axis=0)
        times, deaths = np.unique(time[event], return_counts=True)
        return cls(time >= times[:, None], deaths.astype(float), x, x[event].sum(axis=0))

    def weights(self, coef: Array) -> tuple[Array, Array]:
        """Return each patient's share of the hazard at each time, and the log of the sum."""
        score = np.where(self.at_risk, self.x @ coef, -np.inf)
        most = score.max(axis=1, keepdims=True)
        weight = np.exp(score - most)
        total = weight.sum(axis=1, keepdims=True)
        return weight / total, (most + np.log(total))[:, 0]

    def moments(self, coef: Array) -> tuple[Array, Array, Array]:
        """Return shares (m x n), means (m x k) and differences from them (m x n x k)."""
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
        weight = weight * self.deaths[:, None]
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
        outer = np.einsum("ta,tb->ab", second / self.deaths[:, None], second).reshape(k, k, k, k)
        fourth = (weighted @ flat).reshape(k, k, k, k) - outer
        fourth -= outer.transpose(0, 2, 1, 3) + outer.transpose(0, 2, 3, 1)
        inverse = np.linalg.inv(information)
        inner = np.einsum("ij,jkr->ikr", inverse, third)
        bend = np.einsum("ij,ijrs->rs", inverse, fourth) - np.einsum("ikr,kis->rs", inner, inner)
        return Penalized(
            float(self.total @ coef - self.deaths @ log_sum + log_det / 2),
            self.total - self.deaths @ mean + np.einsum("iir->r", inner) / 2,
            information - bend / 2,
            information,
        )
