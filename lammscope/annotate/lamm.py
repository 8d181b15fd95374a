"""LAMM cells (CSF1R+ CD14+ CD68+ monocytic cells) and CAR-T cells, called from counts alone.

Nothing here knows patients or response. How a call is made, and why so: `resources/lamm/README.md`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import gammaincc, gammaincinv

from lammscope.annotate.refinement import refine
from lammscope.core.names import LEVELS, PER
from lammscope.core.pooling import collapse_genes, membership, neighbor_pooling, sum_columns
from lammscope.joint.gene_names import check_definers

MONOCYTIC = "monocytic"

NON_MYELOID = ("T", "NK", "B", "malignant")  # lineages whose definer counts are ambient RNA

NON_MYELOID_ROW = "non_myeloid"

LAMM, NOT_LAMM, UNCERTAIN = "LAMM", "not_LAMM", "uncertain"

REFERENCE_COLUMNS = ("population", "gene", "rate_per_10k", "low", "high", "source")

SCOPES = ("cell", "pool")

AMBIENT = "ambient"


def load_references(path: str | Path) -> pd.DataFrame:
    """Read the table of reference levels (UMI per 10,000) and check its columns and numbers."""
    table = pd.read_csv(path, sep="\t")
    missing = [column for column in REFERENCE_COLUMNS if column not in table]
    if missing:
        raise ValueError(f"{path}: column {', '.join(missing)} is missing; add it")
    for column in ("rate_per_10k", "low", "high"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    good = (table["low"] >= 0) & (table["low"] <= table["rate_per_10k"])
    good &= (table["rate_per_10k"] <= table["high"]) & (table["rate_per_10k"] > 0)
    for row in table.index[~good]:
        name = ", ".join(str(value) for value in table.loc[row, ["population", "gene"]])
        raise ValueError(
            f"{path}: row {row + 2} ({name}): "
            "give 0 <= low <= rate_per_10k <= high, and a rate above 0"
        )
    return table


def reference_levels(references: pd.DataFrame, definers: Sequence[str]) -> pd.DataFrame:
    """The levels that a call compares with, one row per definer (UMI per 10,000).

    `background` is the level of non-myeloid cells; `typical` the usual rate, and `upper` the
    highest seen, in the ordinary monocyte population that carries the gene most; `elevated` is
    what an elevated cell exceeds: `upper` for the first definer, which sets LAMM cells apart, and
    `typical` for the others, which ordinary monocytes carry as well.
    """
    rows = {}
    for gene in definers:
        own = references[references["gene"] == gene]
        outside = own[own["population"] == NON_MYELOID_ROW]
        monocytes = own[own["population"] != NON_MYELOID_ROW]
        if outside.empty or monocytes.empty:
            raise ValueError(
                f"lamm.references has no level of {gene} in "
                f"{NON_MYELOID_ROW if outside.empty else 'ordinary monocytes'}; add a row"
            )
        rows[gene] = {
            "background": outside["rate_per_10k"].max(),
            "typical": monocytes["rate_per_10k"].max(),
            "upper": monocytes["high"].max(),
        }
    levels = pd.DataFrame.from_dict(rows, orient="index")
    first = levels.index == definers[0]
    levels["elevated"] = np.where(first, levels["upper"], levels["typical"])
    return levels


def call_lamm(
    counts: sparse.csr_array,
    *,
    totals: np.ndarray,
    symbols: Sequence[str],
    neighbors: np.ndarray,
    lineage: Sequence[str] | np.ndarray,
    cell_type: Sequence[str] | np.ndarray,
    samples: Sequence[str] | np.ndarray,
    definers: Sequence[str],
    references: pd.DataFrame,
    level: str,
    probability: float,
    fold: float,
    prior_counts: float,
    dispersion: float,
    cell_dispersion: float,
    vetoes: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    """Probability that each cell is a LAMM cell, at both levels, and the call at one of them.

    The definers' counts of a monocytic cell and of its monocytic neighbours are added. Per gene,
    the posterior of the neighbourhood's rate (Gamma prior, Poisson counts) gives the probability
    that the rate exceeds a reference; the genes' product is the probability that all do.
    `positive` compares with the rate of non-myeloid cells of the same samples times `fold`, from a
    prior around the rate of the cell's type; `elevated` also with fixed levels of ordinary
    monocytes, from a neutral prior, and is then refined by the cell's own counts
    (`refinement.refine`).

    Parameters
    ----------
    counts : n_cells x n_genes raw counts, at least of the definers and the vetoes' genes.
    totals : n_cells, all UMIs of the cell.
    symbols : n_genes gene symbols.
    neighbors : n_cells x k indices of the nearest cells, the cell itself left out.
    lineage, cell_type, samples : n_cells labels.
    definers : gene symbols, the one that sets LAMM cells apart first.
    references : table of `load_references`.
    level : "positive" or "elevated", which of the two is the call.
    probability : a call needs this much; what lies within it of neither 0 nor 1 is uncertain.
    fold : times the non-myeloid rate that a positive cell exceeds.
    prior_counts : weight of the prior, in counts.
    dispersion : squared coefficient of variation between the true rates of a cell and its
        neighbourhood; pooled evidence never counts as more than 1 / dispersion counts.
    cell_dispersion : squared coefficient of variation of a gene's true rate between cells of one
        population.
    vetoes : by reason, `genes`, `per_10k` (the rate of their sum that vetoes) and `scope` (whose
        counts are read: "cell" or "pool"), tried in order; "ambient" comes last by itself.

    Returns
    -------
    One row per cell: `lamm_score` (mean log2 ratio of the definers' rates to ordinary monocytes;
    NaN outside the monocytic lineage), `lamm_positive`, `lamm_elevated` (probabilities; 0 where
    vetoed or not monocytic), `lamm_call` (LAMM, not_LAMM, uncertain), `lamm_veto` (reason or "").

    Follows the Gamma-Poisson model of low counts; see Gelman et al., Bayesian Data Analysis, 2.6.
    """
    _check_settings(level, probability, definers, symbols, vetoes)
    monocytic = np.asarray(lineage, dtype=str) == MONOCYTIC
    n_cells = len(monocytic)
    if not monocytic.any():
        return _nothing_called(n_cells)
    totals = np.asarray(totals, dtype=float)
    levels = reference_levels(references, definers)
    genes = list(
        dict.fromkeys([*definers, *(g for veto in vetoes.values() for g in veto["genes"])])
    )
    wanted = collapse_genes(counts, symbols=symbols, genes=genes)
    n_definers = len(definers)

    rows = np.flatnonzero(monocytic)
    pooling = neighbor_pooling(neighbors, keep=monocytic)[rows]
    pooled = (pooling @ wanted).toarray()
    depth = (pooling @ totals) / PER
    background = _sample_background(
        wanted[:, :n_definers],
        totals=totals,
        lineage=np.asarray(lineage, dtype=str),
        samples=np.asarray(samples, dtype=str),
        table=levels["background"].to_numpy(),
        prior_counts=prior_counts,
    )
    # Rate expected from background alone: each pooled cell at the rate of its own sample.
    ambient = (pooling @ (background * totals[:, None])) / PER / depth[:, None]
    prior_rates = _type_rates(
        wanted[rows, :n_definers], totals=totals[rows], types=np.asarray(cell_type, dtype=str)[rows]
    )

    # Does this kind of cell express the genes at all? There its type is a fair prior. Does this
    # neighbourhood stand out from its type? There the prior gives even odds.
    own = pooled[:, :n_definers]
    floor = fold * ambient
    bar = np.maximum(floor, levels["elevated"].to_numpy())
    model: dict[str, Any] = {"prior_counts": prior_counts, "dispersion": dispersion}
    positive = _exceeds(own, depth, floor, prior_rate=prior_rates, **model).prod(axis=1)
    elevated = _exceeds(own, depth, bar, **model).prod(axis=1)

    reason = np.full(len(rows), "", dtype=object)
    for name, veto in vetoes.items():
        columns = [genes.index(gene) for gene in veto["genes"]]
        if veto["scope"] == "pool":
            found, umi = pooled[:, columns].sum(axis=1), depth
        else:
            found, umi = sum_columns(wanted, columns)[rows], totals[rows] / PER
        limit = np.full((len(rows), 1), float(veto["per_10k"]))
        hit = _exceeds(found[:, None], umi, limit, **model)[:, 0] >= probability
        reason[hit & (reason == "")] = name
    total_floor = floor.sum(axis=1, keepdims=True)
    above = _exceeds(own.sum(axis=1)[:, None], depth, total_floor, **model)[:, 0]
    reason[(above <= 1 - probability) & (reason == "")] = AMBIENT

    vetoed = reason != ""
    positive[vetoed], elevated[vetoed] = 0.0, 0.0
    free = np.flatnonzero(~vetoed)
    refined = refine(
        elevated[free],
        wanted[rows[free], :n_definers].toarray().astype(float),
        depth=totals[rows[free]] / PER,
        pooling=pooling[free][:, rows[free]],
        types=np.asarray(cell_type, dtype=str)[rows[free]],
        bars=levels["elevated"].to_numpy(),
        sure=probability,
        dispersion=cell_dispersion,
    )
    elevated[free] = np.minimum(refined, positive[free])
    rates = (own + prior_counts) / (depth[:, None] + prior_counts / prior_rates)
    score = np.log2(rates / levels["typical"].to_numpy()).mean(axis=1)
    result = _nothing_called(n_cells)
    result.loc[monocytic, "lamm_score"] = score
    result.loc[monocytic, "lamm_positive"] = positive
    result.loc[monocytic, "lamm_elevated"] = elevated
    result.loc[monocytic, "lamm_veto"] = reason
    result["lamm_call"] = call_at(result[f"lamm_{level}"].to_numpy(), probability=probability)
    return result


def call_at(probabilities: np.ndarray, *, probability: float) -> pd.Series:
    """Calls for probabilities of one level: LAMM, not_LAMM, or uncertain in between."""
    calls = np.full(len(probabilities), UNCERTAIN, dtype=object)
    calls[probabilities >= probability] = LAMM
    calls[1 - probabilities >= probability] = NOT_LAMM
    return pd.Series(calls, dtype="str")


def name_population(cell_type: Sequence[str] | np.ndarray, *, lamm_call: pd.Series) -> pd.Series:
    """`LAMM` where called, else the cell type: a partition of the cells."""
    types = np.asarray(cell_type, dtype=object)
    return pd.Series(np.where(np.asarray(lamm_call) == LAMM, LAMM, types), dtype="str")


def _exceeds(
    counts: np.ndarray,
    depth: np.ndarray,
    limit: np.ndarray,
    *,
    prior_counts: float,
    dispersion: float,
    prior_rate: np.ndarray | None = None,
) -> np.ndarray:
    """Posterior probability that a rate exceeds `limit`: cells x genes.

    Counts are Poisson(rate * depth). The Gamma prior has the shape `prior_counts` and the mean
    `prior_rate`, or without one its median at the limit: even odds, so that no counts at all leave
    a call open. Neighbours are similar, not the same cell, and are chosen by these very counts: so
    counts and depth are weighed down together until the counting error is never below a
    coefficient of variation of sqrt(dispersion) (the working weight of a negative binomial of that
    dispersion).
    """
    if prior_rate is None:
        prior_depth = gammaincinv(prior_counts, 0.5) / limit
    else:
        prior_depth = prior_counts / prior_rate
    expected = np.maximum(counts, limit * depth[:, None])
    weight = 1 / (1 + dispersion * expected)
    shape = prior_counts + weight * counts
    return gammaincc(shape, (prior_depth + weight * depth[:, None]) * limit)


def _sample_background(
    definers: sparse.csr_array,
    *,
    totals: np.ndarray,
    lineage: np.ndarray,
    samples: np.ndarray,
    table: np.ndarray,
    prior_counts: float,
) -> np.ndarray:
    """Rate of each definer in the non-myeloid cells of each cell's sample: cells x definers.

    Samples with few such cells lean on the cohort's rate; no rate is below the table's, so that a
    clean library does not make one stray UMI a signal.
    """
    outside = np.isin(lineage, NON_MYELOID).astype(float)
    _, codes, member = membership(samples)
    counts = (member @ sparse.csr_array(definers * outside[:, None])).toarray()
    depth = (member @ (totals * outside)) / PER
    cohort = np.maximum(counts.sum(axis=0) / max(depth.sum(), 1e-9), table)
    rates = (counts + prior_counts) / (depth[:, None] + prior_counts / cohort)
    return np.maximum(rates, table)[codes]


def _type_rates(definers: sparse.csr_array, *, totals: np.ndarray, types: np.ndarray) -> np.ndarray:
    """Rate of each definer in all monocytic cells of each cell's type, half a count added."""
    _, codes, member = membership(types)
    rates = ((member @ definers).toarray() + 0.5) / (member @ totals / PER)[:, None]
    return rates[codes]


def _nothing_called(n_cells: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lamm_score": np.full(n_cells, np.nan),
            "lamm_positive": np.zeros(n_cells),
            "lamm_elevated": np.zeros(n_cells),
            "lamm_call": pd.array([NOT_LAMM] * n_cells, dtype="str"),
            "lamm_veto": pd.array([""] * n_cells, dtype="str"),
        }
    )


def _check_settings(
    level: str,
    probability: float,
    definers: Sequence[str],
    symbols: Sequence[str],
    vetoes: Mapping[str, Mapping[str, Any]],
) -> None:
    if level not in LEVELS:
        raise ValueError(f"lamm.level is {level!r}; give {' or '.join(LEVELS)}")
    if not 0.5 < probability < 1:
        raise ValueError(f"lamm.probability is {probability}; give a number between 0.5 and 1")
    if not definers:
        raise ValueError("lamm.definers is empty; name at least one gene")
    check_definers(definers, symbols=symbols)
    for name, veto in vetoes.items():
        if veto["scope"] not in SCOPES:
            raise ValueError(
                f"lamm.vetoes.{name}: scope is {veto['scope']!r}; give {' or '.join(SCOPES)}"
            )
