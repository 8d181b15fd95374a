"""Fractions of populations: numerators, denominators and scales."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lammscope.core.names import LAMM, LAMM_ROWS, LAMM_SCORE, NOT_IMMUNE, UNKNOWN_CAR_T

OFFSET = 0.5  # pseudocount of each population, in cells


@dataclass(frozen=True)
class Measure:
    """A population as a fraction of `denominator`: `count` of `total` cells, units x sides.

    `share` and `offset` are the pseudocounts of the population and of the denominator. For a log
    ratio, `total` and `offset` are those of the other population. `partition` marks populations
    that together make up the denominator. For a mean, `count` is the sum of a score over `total`
    cells, without pseudocounts.
    """

    population: str
    denominator: str
    count: np.ndarray
    total: np.ndarray
    share: float
    offset: float
    partition: bool
    ratio: bool = False
    mean: bool = False

    @property
    def scales(self) -> tuple[str, ...]:
        """The scales on which it is tested, the main one first."""
        if self.mean:
            return ("mean",)
        return ("log_ratio",) if self.ratio else ("logit", "arcsine")

    @property
    def cells(self) -> np.ndarray:
        """Cells that a value rests on, units x sides: the denominator, or both of a ratio."""
        return self.total + self.count if self.ratio else self.total

    def enough_cells(self, min_cells: int) -> np.ndarray:
        """Tell which units have `min_cells` cells of the denominator on each side."""
        return np.asarray((self.cells >= min_cells).all(axis=1))


def unit_cells(wide: pd.DataFrame, units: pd.DataFrame) -> dict[str, np.ndarray]:
    """Count cells per population as units x sides (two for pairs and changes), replicates summed.

    `wide` is samples x populations; `units` come from `Comparison.units`.
    """
    cube = sum_sides(wide, units)
    return {str(name): cube[k].T for k, name in enumerate(wide.columns)}


def sum_sides(counts: pd.DataFrame, units: pd.DataFrame) -> np.ndarray:
    """Sum samples x features to features x sides x units; replicates are summed.

    `units` come from `Comparison.units`. Two sides are in the order test, reference.
    """
    position = {name: i for i, name in enumerate(counts.index)}
    sides = side_columns(units)
    chosen = np.zeros((len(sides) * len(units), len(counts)))
    for row, names in zip(chosen, (n for side in sides for n in units[side]), strict=True):
        row[[position[name] for name in names]] = 1
    sums: np.ndarray = chosen @ counts.to_numpy(dtype=float)
    return sums.T.reshape(counts.shape[1], len(sides), len(units))


def side_columns(units: pd.DataFrame) -> list[str]:
    """Return the columns of `Comparison.units` that list samples, one per side."""
    return [str(column) for column in units if str(column).startswith("samples")]


def thinnest_depth(total: np.ndarray, arm: np.ndarray) -> float:
    """Return mean cells per unit of the arm and side with the fewest (`total`: units x sides)."""
    return float(min(total[arm == name].mean(axis=0).min() for name in np.unique(arm)))


def families(
    cells: Mapping[str, np.ndarray], about: pd.DataFrame, excluded: set[str]
) -> list[list[Measure]]:
    """Group measures by denominator: one list for each, and one for each parent lineage.

    Parameters
    ----------
    cells
        From `unit_cells`.
    about
        `lineage` and `partition` per population.
    excluded
        Populations left out of all denominators, except those of their own rows. Monocytic ones
        stay in those of the LAMM rows, since LAMM cells may be among them.
    """
    lineage = about["lineage"]
    partition = [p for p in cells if about.loc[p, "partition"]]
    monocytic = [p for p in partition if lineage[p] == "monocytic"]
    counted = [p for p in monocytic if p not in excluded]
    n_monocytic = _total(cells, counted)
    members = {
        "all": partition,
        "immune": [p for p in partition if lineage[p] not in NOT_IMMUNE],
        "monocytic": monocytic,
    }
    found = []
    for denominator, populations in members.items():
        family = _fractions(cells, denominator, populations, excluded)
        family += _lamm_fractions(cells, denominator, populations, excluded - set(monocytic))
        if denominator != "monocytic":
            kept = [p for p in populations if p not in excluded]
            offsets = OFFSET * len(counted), OFFSET * max(len(kept), 1)
            total = _total(cells, kept)
            family.append(
                Measure("monocytic", denominator, n_monocytic, total, *offsets, partition=False)
            )
        found.append(family)
    for parent in sorted(set(lineage[partition]) - {"monocytic"}):
        populations = [p for p in partition if lineage[p] == parent]
        if sum(p not in excluded for p in populations) > 1:
            found.append(_fractions(cells, "parent", populations, excluded))
    t_cells = [p for p in partition if lineage[p] == "T" and p not in excluded]
    if t_cells:
        counts = {LAMM: cells[LAMM], "monocytic": n_monocytic}
        total = _total(cells, t_cells)
        found.append(
            [
                Measure(name, "T", count, total, OFFSET, OFFSET, partition=False, ratio=True)
                for name, count in counts.items()
            ]
        )
    return [family for family in found if family]


def score_measure(scores: pd.DataFrame, units: pd.DataFrame) -> Measure:
    """Measure the mean LAMM score of the monocytic cells of each unit.

    Parameters
    ----------
    scores
        From `counts.sum_scores`.
    units
        From `Comparison.units`.
    """
    cells = unit_cells(scores.set_index("sample")[["total_score", "n_scored"]], units)
    total, n_scored = cells["total_score"], cells["n_scored"]
    return Measure(LAMM_SCORE, "monocytic", total, n_scored, 0, 0, partition=False, mean=True)


def unit_values(measure: Measure, keep: np.ndarray, scale: str) -> np.ndarray:
    """Compute the value of each kept unit on a scale; with two sides, their difference."""
    n, total = measure.count[keep], measure.total[keep]
    if scale == "mean":
        value: np.ndarray = n / total
    elif scale == "log_ratio":
        value = np.log((n + measure.share) / (total + measure.offset))
    elif scale == "logit":
        value = np.log((n + measure.share) / (total - n + measure.offset - measure.share))
    else:
        value = np.arcsin(np.sqrt(n / total))
    return value[:, 0] - value[:, 1] if value.shape[1] == 2 else value[:, 0]


def arm_means(measure: Measure, keep: np.ndarray, arm: np.ndarray) -> dict[str, float]:
    """Average proportions (or log ratios) per arm; for pairs, per side.

    For a change, average the differences of proportions (post minus pre) of each arm.
    """
    n, total = measure.count[keep], measure.total[keep]
    value = np.log((n + measure.share) / (total + measure.offset)) if measure.ratio else n / total
    if (arm == "pair").all():
        by_arm = {"test": value[:, 0], "reference": value[:, -1]}
    else:
        value = value[:, 0] - value[:, 1] if value.shape[1] == 2 else value[:, 0]
        by_arm = {name: value[arm == name] for name in ("test", "reference")}
    return {f"mean_{name}": float(v.mean()) if len(v) else np.nan for name, v in by_arm.items()}


def _total(cells: Mapping[str, np.ndarray], populations: Sequence[str]) -> np.ndarray:
    empty = np.zeros_like(next(iter(cells.values())))
    return sum((cells[p] for p in populations), empty)


def _fractions(
    cells: Mapping[str, np.ndarray], denominator: str, populations: list[str], excluded: set[str]
) -> list[Measure]:
    """Measure each population as a fraction of the denominator without excluded populations.

    T cells that may be CAR-T cells are in the denominator, but their own fraction depends on
    depth, so it is not measured.
    """
    kept = [p for p in populations if p not in excluded]
    total = _total(cells, kept)
    return [
        Measure(
            name,
            denominator,
            cells[name],
            total + cells[name] * (name in excluded),
            OFFSET,
            OFFSET * (len(kept) + (name in excluded)),
            partition=True,
        )
        for name in (populations if kept else [])
        if name != UNKNOWN_CAR_T
    ]


def _lamm_fractions(
    cells: Mapping[str, np.ndarray], denominator: str, populations: list[str], excluded: set[str]
) -> list[Measure]:
    """Measure the rows of LAMM cells, which may be of any monocytic type.

    The denominator has at least two parts, LAMM cells and others, also where it is one population.
    """
    kept = [p for p in populations if p not in excluded]
    total, offset = _total(cells, kept), OFFSET * max(len(kept), 2)
    return [
        Measure(row, denominator, cells[row], total, OFFSET, offset, partition=False)
        for row in LAMM_ROWS
        if row in cells
    ]
