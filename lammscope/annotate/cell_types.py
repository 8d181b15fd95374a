"""Cell types from a marker panel: scores of clusters, and of cells pooled with cells like them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.agreement import CHUNK, agreement, name_states, type_probabilities
from lammscope.annotate.panel import (
    Branch,
    CellType,
    Panel,
    panel_entries,
    panel_symbols,
    present_weight,
)
from lammscope.core.names import PER, UNASSIGNED
from lammscope.core.pooling import collapse_genes, membership
from lammscope.core.rates import activity
from lammscope.joint.panel_counts import PanelCounts

N_TOP_MARKERS = 5  # listed for each cluster; our choice, does not change types
MAX_SCALE = 4  # maximum of a gene's scale, as a multiple of the panel's level; our choice
MIN_UMIS = 500  # fewer UMIs count as so many, since one UMI of few is a high rate; our choice
# Probability of the branch or lineage of a cell's type, from its own counts, below which it is
# unassigned: score and counts contradict each other, as in doublets. Our choice.
RULED_OUT = 0.001
USUAL = 0.5  # median of that probability in a type's cells, or the panel does not fit them
FEW = 5  # cells of a type that have no median; our choice
TINY = 1e-12  # avoids division by zero if none of an entry's markers is in the data


def annotate_cells(
    counts: PanelCounts,
    *,
    clusters: Sequence[str] | np.ndarray,
    neighbors: np.ndarray,
    samples: Sequence[str] | np.ndarray,
    panel: Panel,
    min_score: float,
    min_margin: float,
    cluster_weight: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Annotate every cell and every cluster with a type.

    A cluster is scored on its summed counts. A cell is scored on its own counts together with those
    of its neighbors and other cells in its cluster, of its own sample. Each of them counts as
    much as it agrees with the cell (`agreement`), and the cluster at most with the weight of
    `cluster_weight` UMIs. So neither a cluster that spans tissues nor frequent cells around a rare
    one decide its type.

    Parameters
    ----------
    counts : of n_cells, at least of the panel's genes.
    clusters : n_cells cluster names.
    neighbors : n_cells x k indices of the nearest cells of the same sample, without the cell
        itself; -1 and cells of other samples or clusters are ignored: a type with few cells in
        a sample has fewer neighbors of its own.
    samples : n_cells sample names.
    min_score : score below which a type is not a candidate (0 absent, 1 at its typical level).
    min_margin : required lead over the next branch, or the next type, of another lineage.
    cluster_weight : maximum weight of the cluster's cells in a cell's rates, in UMIs.

    Returns
    -------
    cells : `lineage`, `cell_type`, `cell_type_margin` and `cell_state` (the likeliest state
        of the panel, or ""), in the order of the cells of `counts`.
    clusters : `cluster`, `n_cells`, `cell_type`, `lineage`, `score`, `margin`, `runner_up`,
        `top_markers`, one row per cluster, largest first.
    """
    known = set(counts.symbols)
    genes = [gene for gene in panel_symbols(panel) if gene in known]
    wanted = collapse_genes(counts.matrix, symbols=counts.symbols, genes=genes)
    totals = np.asarray(counts.totals, dtype=float)
    scorer = _Scorer(panel, genes)
    thresholds = {"min_score": min_score, "min_margin": min_margin}
    names, codes, member = membership(clusters)
    cluster_counts, cluster_totals = (member @ wanted).toarray(), member @ totals
    scale = _gene_scale(scorer.levels, cluster_counts, cluster_totals, cluster_weight)
    cluster_rates = cluster_counts / np.maximum(cluster_totals, 1)[:, None] * PER
    cluster_table = scorer.choose(cluster_rates, scale, **thresholds).assign(
        cluster=names,
        n_cells=np.bincount(codes, minlength=len(names)),
        top_markers=_top_markers(cluster_rates, scale, genes),
    )
    columns = ["cluster", "n_cells", "cell_type", "lineage", "score", "margin", "runner_up"]
    cluster_table = cluster_table[[*columns, "top_markers"]].sort_values(
        ["n_cells", "cluster"], ascending=[False, True], ignore_index=True
    )

    place, parts = np.empty(len(totals), dtype=np.int64), []
    for name, rows in rows_by_sample(samples):
        lacking = set(counts.absent.get(name, ()))
        held = [column for column, gene in enumerate(genes) if gene not in lacking]
        own = _Sample(wanted[rows][:, held], totals[rows], codes[rows])
        place[rows] = np.arange(len(rows))
        near = neighbors[rows]
        within = (near >= 0) & np.isin(near, rows) & (codes[near] == codes[rows, None])
        found = _annotate_sample(
            own,
            np.where(within, place[near], -1),
            panel=panel,
            genes=[genes[column] for column in held],
            cluster_weight=cluster_weight,
            thresholds=thresholds,
        )
        parts.append(found.set_index(rows))
    cells = pd.concat(parts).sort_index().reset_index(drop=True)
    return cells.rename(columns={"margin": "cell_type_margin"}), cluster_table


def rows_by_sample(samples: Sequence[str] | np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each sample's name and the rows of its cells."""
    names, codes = np.unique(np.asarray(samples, dtype=str), return_inverse=True)
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    yield from zip(names.tolist(), parts, strict=True)


@dataclass(frozen=True)
class _Sample:
    """Counts of the panel's genes in a sample's cells (n_cells x n_genes), and their clusters."""

    counts: sparse.csr_array
    totals: np.ndarray
    clusters: np.ndarray

    def by_cluster(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the counts and totals of the clusters that the sample has."""
        _, _, member = membership(self.clusters)
        return (member @ self.counts).toarray(), member @ self.totals

    def pooled_rates(
        self, neighbors: np.ndarray, likely: np.ndarray, *, cluster_weight: float
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pool each cell with the cells that agree with it; yield rows and their rates."""
        for cluster in np.unique(self.clusters):
            group = np.flatnonzero(self.clusters == cluster)
            # Sums over the cluster's cells, each weighted by its agreement with a cell: the
            # products with the type probabilities need no matrix of cells x cells.
            by_type = likely[group].T @ self.counts[group]
            by_type_totals = likely[group].T @ self.totals[group]
            for start in range(0, len(group), CHUNK):
                rows = group[start : start + CHUNK]
                own, own_totals = self.counts[rows].toarray(), self.totals[rows]
                itself = (likely[rows] ** 2).sum(axis=1)
                around = likely[rows] @ by_type - itself[:, None] * own
                around_totals = likely[rows] @ by_type_totals - itself * own_totals
                # As much as if all agreed: many cells that agree a little are not much evidence.
                others = self.totals[group].sum() - own_totals
                part = np.minimum(1, cluster_weight / np.maximum(others, 1))
                near = agreement(neighbors[rows], likely, rows=rows)
                totals = own_totals + near @ self.totals + part * around_totals
                pooled = own + near @ self.counts + part[:, None] * around
                yield rows, pooled / np.maximum(totals, MIN_UMIS)[:, None] * PER


def _annotate_sample(
    sample: _Sample,
    neighbors: np.ndarray,
    *,
    panel: Panel,
    genes: Sequence[str],
    cluster_weight: float,
    thresholds: Mapping[str, float],
) -> pd.DataFrame:
    """Return lineage, type, margin and state of a sample's cells; `genes` are its columns."""
    scorer = _Scorer(panel, genes)
    scale = _gene_scale(scorer.levels, *sample.by_cluster(), cluster_weight)
    likely = type_probabilities(sample.counts, sample.totals, panel=panel, genes=genes)
    pooled = np.empty((len(sample.totals), len(genes)))
    for rows, rates in sample.pooled_rates(neighbors, likely, cluster_weight=cluster_weight):
        pooled[rows] = rates
    # a table for each sample, not for each cluster: many clusters have few cells of a sample
    parts = [
        scorer.choose(pooled[start : start + CHUNK], scale, **thresholds)
        for start in range(0, len(pooled), CHUNK)
    ]
    cells = pd.concat(parts, ignore_index=True)[["lineage", "cell_type", "margin"]]
    against = _are_ruled_out(likely, scorer, cells["cell_type"])
    cells.loc[against, ["lineage", "cell_type"]] = UNASSIGNED
    states = name_states(sample.counts, sample.totals, panel=panel, genes=genes)
    return cells.assign(cell_state=pd.array(states, dtype="str"))


def _are_ruled_out(likely: np.ndarray, scorer: "_Scorer", cell_type: pd.Series) -> np.ndarray:
    """Return which cells have counts that contradict their type, while those of others agree.

    If most cells of a type seem to contradict it, the levels of its markers are not those of this
    sample, and it is not a few cells that are wrong.
    """
    own = pd.Series(_of_related_types(likely, scorer, cell_type))
    of_type = own.groupby(cell_type.to_numpy())
    usual, n_cells = of_type.transform("median"), of_type.transform("size")
    return np.asarray((own < RULED_OUT) & ((usual >= USUAL) | (n_cells < FEW)))


def _of_related_types(likely: np.ndarray, scorer: "_Scorer", cell_type: pd.Series) -> np.ndarray:
    """Return the probability of the types of each cell's branch or lineage, from its own counts."""
    lineage = np.array([own.lineage for own in scorer.types])
    branch = scorer.branch_of_type
    found = np.ones(len(cell_type))
    for column, own in enumerate(scorer.types):
        rows = (cell_type == own.name).to_numpy()
        related = (branch == branch[column]) | (lineage == lineage[column])
        found[rows] = likely[rows][:, np.flatnonzero(related)].sum(axis=1)
    return found


class _Scorer:
    """Weights of a panel as matrices, over a fixed order of genes."""

    def __init__(self, panel: Panel, genes: Sequence[str]) -> None:
        self.branches = panel.branches
        self.types = panel.types
        self.lineages = panel.lineages
        position = {gene: row for row, gene in enumerate(genes)}
        self.levels = np.zeros(len(genes))
        for entry in panel_entries(panel):
            for marker in entry.markers:
                if marker.gene in position:
                    self.levels[position[marker.gene]] = marker.level
        self.branch_weights = self._weights(self.branches, position, panel.min_present)
        self.type_weights = self._weights(self.types, position, panel.min_present)
        self.branch_of_type = np.array(
            [index for index, branch in enumerate(self.branches) for _ in branch.types]
        )
        self.leads = self._rivals()
        # A branch with one type has no second level: its type takes the branch's score.
        self.single = np.array([not cell_type.markers for cell_type in self.types])

    def _rivals(self) -> list[tuple[int, float, list[int]]]:
        """List the types that need a lead: their column, the lead, and the columns of rivals."""
        return [
            (
                column,
                own.lead,
                [
                    other
                    for other, rival in enumerate(self.types)
                    if self.branch_of_type[other] == self.branch_of_type[column]
                    and rival.lineage != own.lineage
                ],
            )
            for column, own in enumerate(self.types)
            if own.lead > 0
        ]

    @staticmethod
    def _weights(
        entries: Sequence[Branch | CellType],
        position: dict[str, int],
        min_present: float,
    ) -> np.ndarray:
        weights = np.zeros((len(position), len(entries)))
        for column, entry in enumerate(entries):
            present = present_weight(entry, set(position))
            if entry.markers and present < min_present:
                weights[:, column] = np.nan
                continue
            for marker in entry.markers:
                if marker.gene in position:
                    weights[position[marker.gene], column] += marker.weight
            weights[:, column] /= max(weights[:, column].clip(min=0).sum(), TINY)
        return weights

    def choose(
        self, rates: np.ndarray, scale: np.ndarray, *, min_score: float, min_margin: float
    ) -> pd.DataFrame:
        """Choose the best type of each row of `rates`, with its score, margin and runner-up."""
        active = activity(rates, scale)
        branch_scores = np.nan_to_num(active @ self.branch_weights, nan=-np.inf)
        type_scores = np.nan_to_num(active @ self.type_weights, nan=-np.inf)
        type_scores[:, self.single] = branch_scores[:, self.branch_of_type[self.single]]
        for column, lead, rivals in self.leads:
            best_rival = type_scores[:, rivals].max(axis=1, initial=-np.inf)
            type_scores[type_scores[:, column] < best_rival + lead, column] = -np.inf

        branch, branch_score, next_branch, branch_margin = _best_two(branch_scores)
        inside = np.where(self.branch_of_type == branch[:, None], type_scores, -np.inf)
        best, score, inside_runner_up, margin = _best_two(inside)
        # The runner-up is the nearer of the two: another type of the branch, or another branch.
        outside = np.where(self.branch_of_type == next_branch[:, None], type_scores, -np.inf)
        nearer_branch = branch_margin < margin
        runner_up = np.where(nearer_branch, outside.argmax(axis=1), inside_runner_up)

        lineage = np.array([cell_type.lineage for cell_type in self.types], dtype=object)
        names = np.array([cell_type.name for cell_type in self.types], dtype=object)
        cell_type = names[best]
        for index, own in enumerate(self.branches):
            if own.fallback is not None:
                cell_type[(branch == index) & (score < own.fallback_below)] = own.fallback
        clearly = (branch_margin >= min_margin) | (lineage[best] == lineage[outside.argmax(axis=1)])
        unclear_branch = (branch_score < min_score) | ~clearly
        unclear_lineage = (margin < min_margin) & (lineage[best] != lineage[inside_runner_up])
        cell_type[unclear_branch | unclear_lineage] = UNASSIGNED
        return pd.DataFrame(
            {
                "cell_type": pd.array(cell_type, dtype="str"),
                "lineage": pd.array([self.lineages[name] for name in cell_type], dtype="str"),
                "score": np.where(unclear_branch, branch_score, score),
                "margin": np.minimum(branch_margin, margin),
                "runner_up": pd.array(names[runner_up], dtype="str"),
            }
        )


def _gene_scale(
    levels: np.ndarray, counts: np.ndarray, totals: np.ndarray, weight: float
) -> np.ndarray:
    """Return for each gene the rate that counts as full activity.

    It is the panel's level, or the rate in the highest cluster if that is more, up to `MAX_SCALE`
    times the level, so that genes that a chemistry detects well do not dominate. It is never below
    the level, since a sample without the population that expresses a gene has only its ambient RNA.
    `weight` UMIs are added, so that a cluster of few UMIs does not set a gene's scale by chance.
    """
    highest = (counts / (totals + weight)[:, None] * PER).max(axis=0, initial=0)
    return np.asarray(np.clip(highest, levels, MAX_SCALE * levels))


def _best_two(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return column and score of the best in each row, the second column, and the margin."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :2]
    if order.shape[1] == 1:
        order = np.repeat(order, 2, axis=1)
    rows = np.arange(len(scores))
    first, second = scores[rows, order[:, 0]], scores[rows, order[:, 1]]
    margin = np.full(len(scores), np.inf)
    rivals = np.isfinite(second) & (order[:, 0] != order[:, 1])
    margin[rivals] = first[rivals] - second[rivals]
    return order[:, 0], first, order[:, 1], margin


def _top_markers(rates: np.ndarray, scale: np.ndarray, genes: Sequence[str]) -> list[str]:
    """List the panel genes of each cluster with the highest activity above the others' mean."""
    active = activity(rates, scale)
    others = (active.sum(axis=0) - active) / max(len(active) - 1, 1)
    order = np.argsort(others - active, axis=1, kind="stable")[:, :N_TOP_MARKERS]
    return [",".join(genes[column] for column in row) for row in order]
