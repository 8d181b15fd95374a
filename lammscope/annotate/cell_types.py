"""Cell types from a marker panel: scores of clusters, and of cells pooled with their neighbors."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lammscope.annotate.panel import (
    Branch,
    CellType,
    Panel,
    panel_entries,
    panel_symbols,
    present_weight,
)
from lammscope.core.names import PER, UNASSIGNED
from lammscope.core.pooling import CHUNK, collapse_genes, membership, neighbor_pooling
from lammscope.joint.panel_counts import PanelCounts

N_TOP_MARKERS = 5  # listed for each cluster; our choice, does not change types
MAX_SCALE = 4  # maximum of a gene's scale, as a multiple of the panel's level; our choice
STEEPNESS = 9  # of activity, log10(1 + 9 x): 0.28 at a tenth of the scale, 1 at it; our choice
TINY = 1e-12  # avoids division by zero if none of an entry's markers is in the data


def annotate_cells(
    counts: PanelCounts,
    *,
    clusters: Sequence[str] | np.ndarray,
    neighbors: np.ndarray,
    panel: Panel,
    min_score: float,
    min_margin: float,
    cluster_weight: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Annotate every cell and every cluster with a type.

    A cluster is scored on its summed counts. A cell is scored on the counts of itself and its
    neighbors together with its cluster's profile, with the weight of `cluster_weight` UMIs: a
    neighborhood of few UMIs follows its cluster, and a mixed cluster is split where neighbors
    agree.

    Parameters
    ----------
    counts : of n_cells, at least of the panel's genes.
    clusters : n_cells cluster names.
    neighbors : n_cells x k indices of the nearest cells, without the cell itself.
    min_score : score below which a type is not a candidate (0 absent, 1 at its typical level).
    min_margin : required lead over the next branch, or the next type of another lineage.
    cluster_weight : weight of the cluster's profile in a cell's rates, in UMIs.

    Returns
    -------
    cells : `lineage`, `cell_type`, `cell_type_margin`, in the order of the cells of `counts`.
    clusters : `cluster`, `n_cells`, `cell_type`, `lineage`, `score`, `margin`, `runner_up`,
        `top_markers`, one row per cluster, largest first.
    """
    genes = panel_symbols(panel)
    wanted = collapse_genes(counts.matrix, symbols=counts.symbols, genes=genes)
    totals = np.asarray(counts.totals, dtype=float)
    names, codes, member = membership(clusters)
    cluster_counts = (member @ wanted).toarray()
    cluster_totals = member @ totals
    cluster_rates = cluster_counts / np.maximum(cluster_totals, 1)[:, None] * PER
    scorer = _Scorer(panel, genes, set(counts.symbols))
    # UMIs are added, so that a cluster of few UMIs does not set a gene's scale by chance.
    steady = cluster_counts / (cluster_totals + cluster_weight)[:, None] * PER
    scale = _gene_scale(scorer.levels, steady)

    choice = scorer.choose(cluster_rates, scale, min_score=min_score, min_margin=min_margin)
    cluster_table = choice.assign(
        cluster=names,
        n_cells=np.bincount(codes, minlength=len(names)),
        top_markers=_top_markers(cluster_rates, scale, genes),
    )

    pooling = neighbor_pooling(neighbors)
    parts = []
    for start in range(0, len(totals), CHUNK):
        rows = slice(start, start + CHUNK)
        pooled_totals = pooling[rows] @ totals
        pooled = (pooling[rows] @ wanted).toarray()
        prior = cluster_rates[codes[rows]] / PER * cluster_weight
        rates = (pooled + prior) / (pooled_totals + cluster_weight)[:, None] * PER
        parts.append(scorer.choose(rates, scale, min_score=min_score, min_margin=min_margin))
    cells = pd.concat(parts, ignore_index=True) if parts else choice.iloc[:0]
    cells = cells.rename(columns={"margin": "cell_type_margin"})
    columns = ["cluster", "n_cells", "cell_type", "lineage", "score", "margin", "runner_up"]
    cluster_table = cluster_table[[*columns, "top_markers"]].sort_values(
        ["n_cells", "cluster"], ascending=[False, True], ignore_index=True
    )
    return cells[["lineage", "cell_type", "cell_type_margin"]], cluster_table


class _Scorer:
    """Weights of a panel as matrices, over a fixed order of genes."""

    def __init__(self, panel: Panel, genes: Sequence[str], known: set[str]) -> None:
        self.branches = panel.branches
        self.types = panel.types
        self.lineages = panel.lineages
        position = {gene: row for row, gene in enumerate(genes)}
        self.levels = np.zeros(len(genes))
        for entry in panel_entries(panel):
            for marker in entry.markers:
                self.levels[position[marker.gene]] = marker.level
        self.branch_weights = self._weights(self.branches, position, known, panel.min_present)
        self.type_weights = self._weights(self.types, position, known, panel.min_present)
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
        known: set[str],
        min_present: float,
    ) -> np.ndarray:
        weights = np.zeros((len(position), len(entries)))
        for column, entry in enumerate(entries):
            present = present_weight(entry, known)
            if entry.markers and present < min_present:
                weights[:, column] = np.nan
                continue
            for marker in entry.markers:
                if marker.gene in known:
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
        best, score, runner_up, margin = _best_two(inside)
        # The runner-up is the nearer of the two: another type of the branch, or another branch.
        outside = np.where(self.branch_of_type == next_branch[:, None], type_scores, -np.inf)
        nearer_branch = branch_margin < margin
        runner_up = np.where(nearer_branch, outside.argmax(axis=1), runner_up)

        lineage = np.array([cell_type.lineage for cell_type in self.types], dtype=object)
        names = np.array([cell_type.name for cell_type in self.types], dtype=object)
        cell_type = names[best]
        for index, own in enumerate(self.branches):
            if own.fallback is not None:
                cell_type[(branch == index) & (score < own.fallback_below)] = own.fallback
        unclear_branch = (branch_score < min_score) | (branch_margin < min_margin)
        unclear_lineage = (margin < min_margin) & (lineage[best] != lineage[runner_up])
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


def activity(rates: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Convert rates to a log scale: 0 is absent, 1 is the gene's typical level or more."""
    return np.asarray(np.minimum(np.log1p(STEEPNESS * rates / scale) / np.log(1 + STEEPNESS), 1))


def _gene_scale(levels: np.ndarray, cluster_rates: np.ndarray) -> np.ndarray:
    """Return for each gene the rate that counts as full activity.

    It is the panel's level, or the rate in the highest cluster of this cohort if that is more, up
    to `MAX_SCALE` times the level, so that genes that a chemistry detects well do not dominate. It
    is never below the level, since a cohort without the population that expresses a gene has only
    its ambient RNA.
    """
    highest = cluster_rates.max(axis=0, initial=0)
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
