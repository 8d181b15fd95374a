"""How many macrophage-like cells calls find, by their number in a sample, and numbers corrected.

A cell is scored with its nearest monocytic cells of the same sample. Where a sample has few
macrophage-like cells these are monocytes, so that few of them are found: a difference between
samples looks larger than it is. The run's own calls tell how much: in samples with many called
cells all but some are left out, and these are called again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import isotonic_regression

from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.lamm import MONOCYTIC, NON_MYELOID
from lammscope.annotate.macrophage_state import (
    StateGenes,
    fit_kinds,
    probability_of_macrophages,
    score_state,
)
from lammscope.annotate.signature import Signature
from lammscope.core.names import Array
from lammscope.core.runtime import logger
from lammscope.joint.panel_counts import PanelCounts

KEPT = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)  # numbers of called cells that are kept
MIN_CALLED = 8  # called cells of a sample of which some are left out; our choice
MIN_SAMPLES = 3  # of a group, for a curve of its own: samples are compared by one; our choice
MIN_OF_MOST = 0.5  # of the most in a sample of the group: others have lost more; our choice
MAX_SAMPLES = 12  # of a group, those with the most called cells: limits time; our choice
MAX_ORDINARY = 500  # other monocytic cells of a sample: limits time; our choice
PSEUDOCOUNT = 0.5  # cells, as in `abundance.fractions`
TRIED = 24  # cells of a sample to call again, at each number; our choice
CURVE_COLUMNS = ("group", "n_cells", "recall", "n_tried")
ALL_GROUPS = "all"


@dataclass(frozen=True)
class CalledCells:
    """Cells of a run with what their state was scored from.

    Attributes
    ----------
    cells
        n_cells rows: `sample`, `lineage`, `group` (of libraries that are alike), `lamm_score`,
        `lamm_positive`, `lamm_macrophage_like`.
    counts
        Of the same cells, at least of the state's genes.
    space
        Cells x components in which neighbors are found.
    genes
        Of the state.
    """

    cells: pd.DataFrame
    counts: PanelCounts
    space: np.ndarray
    genes: StateGenes


def measure_recall(
    called: CalledCells, *, probability: float, n_neighbors: int, seed: int, threads: int
) -> pd.DataFrame:
    """Measure which share of called cells is found again if a sample has only some of them.

    In the samples with the most called cells, random ones of these are kept among the cells that
    are clearly not macrophage-like, and called again with the mixture of kinds that was fitted to
    their group. All called cells of a sample together are found, by definition: recall is relative
    to that in these samples. Shares are made monotone in the number of kept cells.

    Parameters
    ----------
    called
        Cells and calls of a run.
    probability
        From which a cell is called; up to one minus it, a cell is clearly not macrophage-like.
    n_neighbors, seed, threads
        As in `neighbors.find_neighbors`; the seed also draws cells.

    Returns
    -------
    DataFrame
        `group`, `n_cells` (kept), `recall` (share of them found, 0 to 1), `n_tried` (called again):
        rows of each group with such samples, if it has at least `MIN_SAMPLES`, and of all groups
        together (`all`). No rows if no sample has enough called cells, or for a user's signature,
        whose kinds of cells are fitted to the whole cohort.
    """
    if isinstance(called.genes, Signature):
        logger.info("recall is not measured for a signature; numbers stay as called")
        return pd.DataFrame(columns=list(CURVE_COLUMNS))
    rng = np.random.default_rng(seed)
    search = {"n_neighbors": n_neighbors, "seed": seed, "threads": threads}
    tried = [
        (name, *found)
        for name, rows in _groups(called.cells).items()
        for found in _of_group(called, rows, probability=probability, rng=rng, search=search)
    ]
    table = pd.DataFrame(tried, columns=["group", "n_called", "n_cells", "n_found", "n_tried"])
    cells = called.cells[["group", "sample"]].astype(str)
    n_samples = cells.drop_duplicates()["group"].value_counts()
    curves = [
        _curve(part, str(name))
        for name, part in table.groupby("group")
        if n_samples[str(name)] >= MIN_SAMPLES
    ]
    if len(table):
        most = table["n_called"] >= MIN_OF_MOST * table["n_called"].max()
        curves.append(_curve(table[most], ALL_GROUPS))
    result = pd.concat(curves) if curves else pd.DataFrame(columns=list(CURVE_COLUMNS))
    return result.reset_index(drop=True)


def _groups(cells: pd.DataFrame) -> dict[str, np.ndarray]:
    names, codes = np.unique(cells["group"].to_numpy(dtype=str), return_inverse=True)
    return {str(name): np.flatnonzero(codes == code) for code, name in enumerate(names)}


def _of_group(
    called: CalledCells,
    rows: np.ndarray,
    *,
    probability: float,
    rng: np.random.Generator,
    search: dict[str, int],
) -> Iterator[tuple[int, int, int, int]]:
    """Yield numbers called, kept, found and tried in the samples with the most called cells."""
    own = called.cells.iloc[rows]
    like = own["lamm_macrophage_like"].to_numpy()
    high, monocytic = like >= probability, (own["lineage"] == MONOCYTIC).to_numpy()
    names = own["sample"].to_numpy(dtype=str)
    numbers = pd.Series(names[high]).value_counts()
    chosen = numbers.index[numbers >= max(MIN_CALLED, MIN_OF_MOST * numbers.max())]
    if len(chosen) == 0:
        return
    kinds = fit_kinds(own["lamm_score"].dropna().to_numpy())
    parts = (high, monocytic & (like <= 1 - probability), own["lineage"].isin(NON_MYELOID))
    for name in chosen[:MAX_SAMPLES]:
        macrophages, ordinary, others = (rows[(names == name) & part] for part in parts)
        ordinary = rng.permutation(ordinary)[:MAX_ORDINARY]
        kept = [
            rng.choice(macrophages, size=number, replace=False)
            for number in KEPT
            if number < len(macrophages)
            for _ in range(-(-TRIED // number))
        ]
        score = _scores_again(called, kept, ordinary=ordinary, others=others, search=search)
        state = probability_of_macrophages(score, kinds)
        positive = called.cells["lamm_positive"].to_numpy()[np.concatenate(kept)]
        found = np.minimum(state, positive) >= probability
        for part in np.split(found, np.cumsum([len(each) for each in kept])[:-1]):
            yield len(macrophages), len(part), int(part.sum()), len(part)
        yield (len(macrophages),) * 4


def _scores_again(
    called: CalledCells,
    kept: Sequence[np.ndarray],
    *,
    ordinary: np.ndarray,
    others: np.ndarray,
    search: dict[str, int],
) -> Array:
    """Score each group of kept cells among the same ordinary ones; return the scores of the kept.

    Only the sum of the counts of `others` matters, so they are one cell of each draw.
    """
    matrix, totals = called.counts.matrix, np.asarray(called.counts.totals, dtype=float)
    sizes = [len(part) for part in kept]
    draws = np.arange(len(kept))
    rows = np.concatenate([*kept, np.tile(ordinary, len(kept))])
    draw = np.concatenate([np.repeat(draws, sizes), np.repeat(draws, len(ordinary)), draws])
    outside = np.repeat([False, True], [len(rows), len(kept)])
    summed = sparse.csr_array(matrix[others].sum(axis=0)[None, :])
    sample = str(called.cells["sample"].iloc[kept[0][0]])
    names = np.char.add(f"{sample}.", draw.astype(str))
    counts = replace(
        called.counts,
        matrix=sparse.csr_array(sparse.vstack([matrix[rows], *([summed] * len(kept))])),
        totals=np.concatenate([totals[rows], np.full(len(kept), totals[others].sum())]),
        absent=dict.fromkeys(names, called.counts.absent.get(sample, ())),
    )
    space = np.vstack([called.space[rows], np.zeros((len(kept), called.space.shape[1]))])
    cells = pd.DataFrame({"sample": names, "lineage": np.where(outside, "", MONOCYTIC)})
    near = lineage_neighbors(space, cells=cells, lineage=MONOCYTIC, within="sample", **search)
    scores = score_state(
        counts,
        neighbors=near,
        samples=names,
        scored=~outside,
        background=outside,
        genes=called.genes,
    )
    return scores[: sum(sizes)]


def _curve(tried: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return the share of found cells at each number of kept ones, as a monotone curve."""
    sums = tried.groupby("n_cells")[["n_found", "n_tried"]].sum()
    shares, weights = sums["n_found"] / sums["n_tried"], sums["n_tried"]
    fitted = isotonic_regression(shares.to_numpy(), weights=weights.to_numpy()).x
    curve = {"group": group, "n_cells": sums.index, "recall": fitted, "n_tried": weights}
    return pd.DataFrame(curve).reset_index(drop=True)


def correct_numbers(n_called: np.ndarray, *, n_cells: np.ndarray, recall: np.ndarray) -> np.ndarray:
    """Return the numbers of cells of which `n_called` are expected to be found.

    Half a cell is added before and subtracted afterwards, as tests add it to any count: without
    called cells a sample has as many as are expected to show half a one. Recall is interpolated in
    the logarithm of the number of cells; it is that of the least and largest number beyond them.
    Without a curve (no `n_cells`), numbers are as called.
    """
    if len(n_cells) == 0:
        return np.asarray(n_called, dtype=float)
    half = np.asarray(n_called, dtype=float) + PSEUDOCOUNT
    ends = np.log(n_cells[[0, -1]])
    grid = np.exp(np.linspace(ends[0], ends[1], 200))
    share = np.interp(np.log(grid), np.log(n_cells), recall)
    expected = np.maximum.accumulate(grid * share)
    known = np.append(True, np.diff(expected) > 0) & (expected > 0)
    if not known.any():
        return np.asarray(n_called, dtype=float)
    found, number = np.append(0, expected[known]), np.append(0, grid[known])
    beyond = half > found[-1]
    corrected = np.where(beyond, half * number[-1] / found[-1], np.interp(half, found, number))
    return np.asarray(corrected - PSEUDOCOUNT)


def correct_samples(
    cells: pd.DataFrame, curves: pd.DataFrame, *, samples: pd.Series, probability: float
) -> pd.DataFrame:
    """Correct the number of macrophage-like cells of each sample for those that are not found.

    Parameters
    ----------
    cells
        `sample`, `lineage`, `lamm_macrophage_like`.
    curves
        From `measure_recall`. A sample whose group has no curve uses that of all groups.
    samples
        Group of each sample, indexed by sample: all samples, including those without cells.
    probability
        From which a cell is called.

    Returns
    -------
    DataFrame
        `sample`, `n_called`, `n_corrected` (not above the number of monocytic cells), `recall`
        (`n_called` of `n_corrected`; missing without called cells).
    """
    high = cells["lamm_macrophage_like"] >= probability
    table = pd.DataFrame({"sample": sorted(samples.index)})
    number, most = (
        table["sample"].map(cells.loc[rows, "sample"].astype(str).value_counts()).fillna(0)
        for rows in (high, cells["lineage"] == MONOCYTIC)
    )
    table["n_called"] = number.astype(int)
    group = table["sample"].map(samples).astype(str)
    table["n_corrected"] = table["n_called"].astype(float)
    for name in group.unique():
        own = curves[curves["group"] == (name if name in set(curves["group"]) else ALL_GROUPS)]
        curve = {key: own[key].to_numpy(dtype=float) for key in ("n_cells", "recall")}
        rows = (group == name).to_numpy()
        table.loc[rows, "n_corrected"] = correct_numbers(
            table.loc[rows, "n_called"].to_numpy(dtype=float), **curve
        )
    table["n_corrected"] = np.minimum(table["n_corrected"], most)
    table["recall"] = (table["n_called"] / table["n_corrected"]).where(table["n_called"] > 0)
    if curves.empty:
        logger.info(
            "no sample has %d macrophage-like cells: their numbers are not corrected", MIN_CALLED
        )
    return table
