"""Influence of single patients: results of a model with each patient left out in turn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lammscope.stats import Array
from lammscope.stats.effect import effect_test, two_arms


@dataclass(frozen=True)
class LeftOut:
    """Results of `effect_test` with one unit left out, units x features.

    Values are nan if the effect cannot be estimated without the unit.
    """

    estimate: Array
    se: Array
    p: Array


def leave_one_out(values: Array, design: Array, at: int) -> LeftOut:
    """Test the effect without each unit.

    Parameters
    ----------
    values
        Features x units.
    design
        Units x coefficients, of full column rank.
    at
        Position of the coefficient of interest.
    """
    is_number = two_arms(design[:, at]) is None  # also if only two numbers are left
    found = [
        effect_test(
            np.delete(values, unit, axis=1),
            np.delete(design, unit, axis=0),
            at,
            one_variance=is_number,
        )
        for unit in range(len(design))
    ]
    return LeftOut(*(np.array([getattr(each, name) for each in found]) for name in _NAMES))


def largest_p(p: Array, names: NDArray[np.object_]) -> tuple[Array, NDArray[np.object_]]:
    """Return the largest p of each feature, and the unit that was left out.

    Parameters
    ----------
    p
        Units x features; nan where the effect cannot be estimated without the unit.
    names
        Of the units.

    Returns
    -------
    The largest p and the name, per feature; nan and "" if no p is known.
    """
    known = np.where(np.isfinite(p), p, -1.0)
    most = known.argmax(axis=0)
    largest = known[most, np.arange(p.shape[1])]
    found = largest >= 0
    return np.where(found, largest, np.nan), np.where(found, names[most], "").astype(object)


_NAMES = ("estimate", "se", "p")
