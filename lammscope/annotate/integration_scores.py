"""Integration scores: batches mixed, structure kept, populations lost.

The reference for structure is each sample alone, before integration. There is no batch effect
within a sample, so cells that are separate there are a population and not a batch. A population
that is no longer separate from its sample's other cells was lost, even if it occurs elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lammscope.annotate.cell_types import annotate_cells
from lammscope.annotate.lamm import call_lamm
from lammscope.annotate.lamm_settings import CallSettings
from lammscope.annotate.lisi import NEIGHBORS, local_inverse_simpson
from lammscope.annotate.panel import Panel
from lammscope.core.names import AUTO, LAMM, NONE
from lammscope.joint.clustering import cluster_cells
from lammscope.joint.neighbors import find_neighbors, find_neighbors_within, shared_neighbor_graph
from lammscope.joint.panel_counts import PanelCounts

# All are our choice, except for the perplexity.
MAX_PER_SAMPLE, MAX_CELLS = 1_000, 100_000  # drawn from larger cohorts, to limit time
MIXING_CELLS = 5_000  # of those, for mixing
PERPLEXITY = 30.0  # of LISI: the default of its authors (Korsunsky 2019) and of harmonypy
LABEL_RESOLUTION = 0.5  # of the clusters of each sample alone: coarse populations
MIN_SAMPLE = 30  # cells of a sample that is clustered alone; its structure needs twice as many
MIN_POPULATION = 10  # cells of a population that is scored
MIN_LAMM = 5  # LAMM cells of a sample in which their loss is counted
LOST = 0.5  # a population is lost if its separation falls below this share of what it was
# What a method must keep to be chosen, relative to no integration.
MIN_LAMM_KEPT, MIN_STRUCTURE = 0.8, 0.9
TINY = 1e-9  # avoids division by zero


@dataclass(frozen=True)
class Evidence:
    """Data of the drawn cells other than their embedding, n_cells rows each.

    `annotation` has the thresholds of `cell_types.annotate_cells`.
    """

    sample: np.ndarray
    batch: np.ndarray
    counts: PanelCounts
    panel: Panel
    annotation: Mapping[str, float]
    lamm: CallSettings

    def is_lamm(
        self, clusters: np.ndarray, neighbors: np.ndarray, own: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Call LAMM cells with these neighbors, and types with those of the `own` sample."""
        types, _ = annotate_cells(
            self.counts,
            clusters=clusters,
            neighbors=own,
            samples=self.sample,
            panel=self.panel,
            **self.annotation,
        )
        called = call_lamm(
            self.counts,
            neighbors=neighbors,
            sample_neighbors=own,
            cells=types.assign(sample=self.sample, group=self.batch),
            settings=self.lamm,
        )
        return (called["lamm_call"] == LAMM).to_numpy(), types["cell_type"].to_numpy(dtype=str)


def draw_cells(sample: np.ndarray, *, seed: int) -> np.ndarray:
    """Draw up to `MAX_PER_SAMPLE` cells per sample, about `MAX_CELLS` in total; sorted rows."""
    rng = np.random.default_rng(seed)
    names, codes = np.unique(sample, return_inverse=True)
    most = min(MAX_PER_SAMPLE, max(MAX_CELLS // len(names), MIN_SAMPLE))
    rows = [np.flatnonzero(codes == code) for code in range(len(names))]
    drawn = [own if len(own) <= most else rng.choice(own, most, replace=False) for own in rows]
    return np.sort(np.concatenate(drawn))


def score_integration(
    spaces: Mapping[str, np.ndarray],
    evidence: Evidence,
    *,
    n_neighbors: int,
    resolution: float,
    seed: int,
    threads: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Compare embeddings.

    Parameters
    ----------
    spaces
        By method, n_cells x dimensions; `none` are the uncorrected components.
    evidence
        Data of the same cells.
    n_neighbors, resolution, seed, threads
        As in `neighbors.find_neighbors` and `clustering.cluster_cells`.

    Returns
    -------
    scores
        Per `method`: `n_cells`, `n_batches`; `ilisi`, the median effective number of batches around
        a cell [1]_, `ilisi_random`, the same for random batches, and `mixing`, `ilisi` on a scale
        from 1 batch (0) to random (1); `structure`, the purity of a cell's surroundings in the
        populations found in its sample before integration (1: only its own; from cLISI [1]_);
        `n_populations` of all samples and `n_lost`; `lamm_before` and `lamm_after`, LAMM cells
        called from a cell's own sample and from the embedding, `lamm_kept`, the share of the former
        that the latter include, and `n_samples_lamm_lost`.
    lost
        The lost populations: `method`, `sample`, `cluster`, `cell_type` (the most frequent),
        `n_cells`, `apart_before`, `apart_after` (separation: 0 none, 1 complete).
    lamm
        Per `method` and `sample`: `lamm_before`, `lamm_after`, `lamm_kept` (share, NaN for none),
        `lost` (of at least 5 before, less than half are kept).

    References
    ----------
    .. [1] Korsunsky et al., Nat Methods 16, 1289-1296 (2019), doi 10.1038/s41592-019-0619-0.
    """
    search = {"n_neighbors": n_neighbors, "seed": seed, "threads": threads}
    sample = evidence.sample
    own = find_neighbors_within(spaces[NONE], groups=sample, **search)
    labels = _populations(own, sample, seed=seed)
    before, types = evidence.is_lamm(labels, own, own)
    populations = _describe(labels, sample, types)
    populations["apart_before"] = _apart(own, labels, sample)
    n_batches = len(np.unique(evidence.batch))
    rows, lost, lamm = [], [], []
    for method, space in spaces.items():
        indices, _ = find_neighbors(space, **search)
        clusters = cluster_cells(shared_neighbor_graph(indices), resolution=resolution, seed=seed)
        within = own if method == NONE else find_neighbors_within(space, groups=sample, **search)
        after, _ = evidence.is_lamm(clusters, indices, within)
        table = populations.assign(method=method, apart_after=_apart(within, labels, sample))
        gone = table["apart_after"] < LOST * table["apart_before"]
        lost.append(table[gone])
        of_samples = _lamm_by_sample(sample, before, after).assign(method=method)
        had = of_samples["lamm_before"] >= MIN_LAMM
        lamm.append(of_samples.assign(lost=had & (of_samples["lamm_kept"] < LOST)))
        mixing = _mixing(space, evidence.batch, seed=seed)
        rows.append(
            {
                "method": method,
                "n_cells": len(space),
                "n_batches": n_batches,
                **mixing,
                "structure": _structure(space, labels, sample, seed=seed),
                "n_populations": len(table),
                "n_lost": int(gone.sum()),
                "lamm_before": int(before.sum()),
                "lamm_after": int(after.sum()),
                "lamm_kept": after[before].mean() if before.any() else np.nan,
                "n_samples_lamm_lost": int(lamm[-1]["lost"].sum()),
            }
        )
    first = ["method", "sample"]
    return (
        pd.DataFrame(rows),
        pd.concat(lost)[
            [*first, "cluster", "cell_type", "n_cells", "apart_before", "apart_after"]
        ].reset_index(drop=True),
        pd.concat(lamm)[[*first, "lamm_before", "lamm_after", "lamm_kept", "lost"]].reset_index(
            drop=True
        ),
    )


def choose_method(scores: pd.DataFrame, *, method: str) -> pd.DataFrame:
    """Mark the methods that keep the populations, and the one in use.

    A method passes if it keeps 80 % of the LAMM cells and 90 % of the structure that the
    uncorrected components keep, and loses LAMM cells in no more samples; `none` always passes.
    With `auto`, the method that mixes batches best among those that pass is used, else `method`.

    Returns
    -------
    DataFrame
        `scores` with `passes` and `used`.
    """
    table = scores.set_index("method")
    kept, structure = table["lamm_kept"].fillna(1), table["structure"].fillna(1)
    passes = (kept >= MIN_LAMM_KEPT * kept[NONE]) & (structure >= MIN_STRUCTURE * structure[NONE])
    passes &= table["n_samples_lamm_lost"] <= table.loc[NONE, "n_samples_lamm_lost"]
    passes[NONE] = True
    best = table["mixing"].fillna(0).where(passes, -1.0).idxmax()
    used = best if method == AUTO else method
    return scores.assign(passes=passes.to_numpy(), used=scores["method"] == used)


def _populations(own: np.ndarray, sample: np.ndarray, *, seed: int) -> np.ndarray:
    """Cluster each sample alone; clusters are named `sample cluster`."""
    labels = np.array([f"{name} 0" for name in sample], dtype=object)
    for name in np.unique(sample):
        rows = np.flatnonzero(sample == name)
        if len(rows) < MIN_SAMPLE:
            continue
        local = np.searchsorted(rows, own[rows, : len(rows) - 1])
        clusters = cluster_cells(
            shared_neighbor_graph(local), resolution=LABEL_RESOLUTION, seed=seed
        )
        labels[rows] = [f"{name} {cluster}" for cluster in clusters]
    return labels.astype(str)


def _describe(labels: np.ndarray, sample: np.ndarray, types: np.ndarray) -> pd.DataFrame:
    """List populations of enough cells: `sample`, `cluster`, `cell_type`, `n_cells`."""
    table = pd.DataFrame({"label": labels, "sample": sample, "cell_type": types})
    grouped = table.groupby("label")
    result = grouped.agg(
        sample=("sample", "first"),
        cell_type=("cell_type", lambda names: names.mode().iloc[0]),
        n_cells=("label", "size"),
    )
    result.insert(1, "cluster", [label.rsplit(" ", 1)[1] for label in result.index])
    several = result.groupby("sample")["cluster"].transform("size") > 1
    return result[several & (result["n_cells"] >= MIN_POPULATION)]


def _apart(neighbors: np.ndarray, labels: np.ndarray, sample: np.ndarray) -> pd.Series:
    """Score by label how many neighbors within the sample are of the label: 0 by chance, 1 all."""
    there = neighbors >= 0
    same = ((labels[neighbors] == labels[:, None]) & there).sum(axis=1)
    others = pd.Series(labels).groupby(labels).transform("size").to_numpy() - 1
    of_sample = pd.Series(sample).groupby(sample).transform("size").to_numpy()
    # a population smaller than the neighborhood cannot fill it
    most = np.maximum(np.minimum(there.sum(axis=1), others), 1)
    share = same / most
    chance = there.sum(axis=1) * others / np.maximum(of_sample - 1, 1) / most
    apart = (share - chance) / np.maximum(1 - chance, TINY)
    return pd.Series(apart).groupby(labels).mean()


def _lamm_by_sample(sample: np.ndarray, before: np.ndarray, after: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"lamm_before": before, "lamm_after": after, "both": before & after})
    counts = table.groupby(sample).sum()
    kept = counts["both"] / counts["lamm_before"].where(counts["lamm_before"] > 0)
    return counts.assign(lamm_kept=kept).rename_axis("sample").reset_index()


def _mixing(space: np.ndarray, batch: np.ndarray, *, seed: int) -> dict[str, float]:
    """Compute the median effective number of batches around a cell, observed and at random."""
    if len(np.unique(batch)) < 2 or len(space) < NEIGHBORS * PERPLEXITY + 1:
        return dict.fromkeys(("ilisi", "ilisi_random", "mixing"), np.nan)
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(space), min(len(space), MIXING_CELLS), replace=False)
    codes = np.unique(batch[rows], return_inverse=True)[1]
    labels = np.column_stack([codes, rng.permutation(codes)])
    lisi = local_inverse_simpson(space[rows], labels, perplexity=PERPLEXITY, seed=seed)
    found, random = np.median(lisi, axis=0)
    return {
        "ilisi": found,
        "ilisi_random": random,
        "mixing": np.clip((found - 1) / max(random - 1, TINY), 0, 1),
    }


def _structure(space: np.ndarray, labels: np.ndarray, sample: np.ndarray, *, seed: int) -> float:
    """Compute the mean purity (0 to 1) of cells' surroundings in their sample's populations."""
    values = []
    for name in np.unique(sample):
        rows = np.flatnonzero(sample == name)
        n_labels = len(np.unique(labels[rows]))
        if n_labels < 2 or len(rows) < 2 * MIN_SAMPLE:
            continue
        perplexity = min(PERPLEXITY, (len(rows) - 1) / NEIGHBORS)
        codes = np.unique(labels[rows], return_inverse=True)[1]
        lisi = local_inverse_simpson(space[rows], codes[:, None], perplexity=perplexity, seed=seed)
        values.append((n_labels - lisi[:, 0]) / (n_labels - 1))
    return float(np.concatenate(values).mean()) if values else np.nan
