"""A user's signature in place of the state of tissue macrophages: its levels, scores and calls.

A gene list has neither levels nor a reference. Levels come from the cohort's monocytic cells, and a
state is only what is separate from ordinary cells of the same libraries (`score_kinds`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.annotate.macrophage_state import (
    MACROPHAGE,
    MAX_SHARE,
    MIN_ORDINARY,
    MONOCYTE,
    OWN,
    TOO_FEW_GENES,
    StateGenes,
    load_state_genes,
    neighborhood_rates,
    score_state,
    state_probabilities,
)
from lammscope.annotate.score_kinds import MIN_APART, Kinds, find_state
from lammscope.core.names import Array
from lammscope.core.runtime import logger
from lammscope.core.signature_file import MIN_GENES, is_gene_set_file, read_signature
from lammscope.core.words import shortened
from lammscope.joint.panel_counts import PanelCounts

# Full activity of a gene is this quantile of its rates in the neighborhoods of monocytic cells, and
# at least `LEAST_LEVEL` UMIs per 10,000, so that stray UMIs are no activity. Our choice; a quantile
# of 0.95 gives the same calls.
QUANTILE, LEAST_LEVEL = 0.99, 1.0
CELLS_PER_SAMPLE = 2000  # whose rates give the quantile: limits memory

NO_REFERENCE, NO_SUCH_STATE = "no reference", "no such state"


@dataclass(frozen=True)
class Signature(StateGenes):
    """Genes of a user's signature. Those of the up set stand for genes of macrophages.

    Attributes
    ----------
    name
        Of the signature.
    path
        File that the genes were read from.
    set_names
        Names of the up set and of the down set, if there is one.
    """

    name: str
    path: str
    set_names: tuple[str, ...]

    @property
    def sides(self) -> tuple[np.ndarray, ...]:
        """The genes of the up set, then those of the down set, as masks of the symbols."""
        return super().sides[: len(self.set_names)]


def load_state(path: str | Path) -> StateGenes:
    """Read the genes of the state: a table with levels, or a signature in a GMT file.

    Raises
    ------
    ValueError
        As `load_state_genes` and `read_signature`.
    """
    if not is_gene_set_file(path):
        return load_state_genes(path)
    found = read_signature(path)
    down = () if found.down is None else found.down.genes
    symbols = (*found.up.genes, *down)
    return Signature(
        symbols=symbols,
        of_macrophages=np.arange(len(symbols)) < len(found.up.genes),
        levels=np.full(len(symbols), np.nan),
        name=found.name,
        path=str(path),
        set_names=tuple(part.name for part in (found.up, found.down) if part is not None),
    )


def check_listed(
    state: StateGenes, *, genes: Mapping[str, pd.DataFrame], n_cells: Sequence[int] | np.ndarray
) -> None:
    """Refuse a signature of which no library lists five genes of each set; warn of single ones.

    Cells of a library that lists fewer get no score (`too few genes`).

    Parameters
    ----------
    state : a table is not checked: cells of such a library get no score.
    genes : by sample, `symbol` and `present` (in its matrix), from `panel_counts`.
    n_cells : kept cells of each sample; samples without cells are not checked.

    Raises
    ------
    ValueError
        With file, set, samples, genes and a remedy.
    """
    if not isinstance(state, Signature):
        return
    listed = {
        sample: set(table.loc[table["present"].astype(bool), "symbol"])
        for (sample, table), n in zip(genes.items(), n_cells, strict=True)
        if n
    }
    for set_name, side in zip(state.set_names, state.sides, strict=True):
        wanted = np.array(state.symbols)[side].tolist()
        found = {sample: len(known.intersection(wanted)) for sample, known in listed.items()}
        short = [f"{sample} ({n})" for sample, n in found.items() if n < MIN_GENES]
        words = (
            f"{state.path}: set `{set_name}` has {len(wanted)} genes ({shortened(wanted)}); "
            f"fewer than {MIN_GENES} of them are in the matrix of {shortened(short)}"
        )
        if short and len(short) == len(found):
            raise ValueError(f"{words}; give symbols as in the matrices")
        if short:
            logger.warning("%s, whose cells are not scored", words)


def list_genes(state: StateGenes, counts: PanelCounts) -> pd.DataFrame:
    """Count how many of the state's genes each library lists.

    Parameters
    ----------
    state : genes of tissue macrophages, or of a signature.
    counts : at least of these genes; `absent` has all samples with cells.

    Returns
    -------
    DataFrame
        One row per sample and set: `sample`, `set` (of a table: `macrophage`, `monocyte`),
        `n_genes`, `n_listed`, `missing` (separated by ", ").
    """
    names = state.set_names if isinstance(state, Signature) else (MACROPHAGE, MONOCYTE)
    unknown = set(state.symbols) - set(counts.symbols)
    rows = []
    for sample, absent in counts.absent.items():
        for name, side in zip(names, state.sides, strict=True):
            genes = np.array(state.symbols)[side]
            missing = [gene for gene in genes.tolist() if gene in unknown or gene in absent]
            rows.append((sample, name, len(genes), len(genes) - len(missing), ", ".join(missing)))
    columns = ["sample", "set", "n_genes", "n_listed", "missing"]
    table = pd.DataFrame(rows, columns=columns)
    for set_name, listed in table.groupby("set", sort=False):
        logger.info(
            "set %s: %d genes, of which matrices list %d to %d",
            *(
                set_name,
                listed["n_genes"].iloc[0],
                listed["n_listed"].min(),
                listed["n_listed"].max(),
            ),
        )
    return table


def score_cells(
    counts: PanelCounts,
    *,
    neighbors: np.ndarray,
    samples: np.ndarray,
    scored: np.ndarray,
    background: np.ndarray,
    genes: StateGenes,
) -> np.ndarray:
    """Score the state of cells; parameters and result are those of `score_state`.

    For a signature, levels are estimated from the scored cells first. The score of one without a
    down set is the mean activity of its genes, 0 to 1.
    """
    cells = {
        "neighbors": neighbors,
        "samples": samples,
        "scored": scored,
        "background": background,
    }
    if isinstance(genes, Signature) and scored.any():
        of_samples = neighborhood_rates(counts, genes=genes, by_agreement=False, **cells)
        some = [_some_rates(listed, rates) for _, listed, rates in of_samples]
        genes = replace(genes, levels=estimate_levels(np.vstack(some)))
    # With levels from the same cells, agreement would make a state of any genes.
    by_agreement = not isinstance(genes, Signature)
    return score_state(counts, genes=genes, by_agreement=by_agreement, **cells)


def _some_rates(listed: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Return rates of evenly spaced cells of a sample; NaN for genes that it does not list."""
    step = -(-len(rates) // CELLS_PER_SAMPLE)
    return np.where(listed, rates[::step], np.nan).astype(np.float32)


def estimate_levels(rates: np.ndarray) -> np.ndarray:
    """Return the rate of full activity of genes from rates, cells x genes, NaN where unlisted."""
    known = ~np.isnan(rates).all(axis=0)
    levels = np.full(rates.shape[1], LEAST_LEVEL)
    levels[known] = np.maximum(np.nanquantile(rates[:, known], QUANTILE, axis=0), LEAST_LEVEL)
    return levels


def judge_cells(
    scores: Array, *, groups: Sequence[str] | np.ndarray, genes: StateGenes
) -> pd.DataFrame:
    """Compute the probability of the state, relative to ordinary cells of the same libraries.

    For the state of tissue macrophages, this is `state_probabilities`, which has a prior. A
    signature has none. Its state is a kind of cells that is separate from the others
    (`score_kinds.find_state`), in groups with at least 20 ordinary cells.

    Parameters
    ----------
    scores : n_cells, from `score_cells`; NaN outside the monocytic lineage.
    groups : n_cells, names of groups of libraries that are alike, such as batches.
    genes : of the state.

    Returns
    -------
    DataFrame
        As `state_probabilities`. `reference` of a signature is `own monocytes`; `no reference` (too
        few ordinary cells: 0.5); `no such state` (all cells of the cohort are of one kind: 0); `too
        few genes` (0.5).
    """
    if not isinstance(genes, Signature):
        return state_probabilities(scores, groups=groups)
    found = pd.DataFrame(
        {"probability": np.full(len(scores), 0.5), "reference": TOO_FEW_GENES},
        index=range(len(scores)),
    )
    rows = np.flatnonzero(~np.isnan(scores))
    if len(rows) == 0:
        return found
    kinds, n_ordinary = find_state(scores[rows], groups=np.asarray(groups, dtype=str)[rows])
    codes = np.searchsorted(kinds.names, np.asarray(groups, dtype=str)[rows])
    separate = n_ordinary < len(kinds.mean)
    with_reference = _has_reference(kinds, codes, n_ordinary=n_ordinary)[codes]
    if separate:
        probability = _probability(scores[rows], kinds, codes, n_ordinary=n_ordinary)
    else:
        probability = np.zeros(len(rows))
    found.loc[rows, "probability"] = np.where(with_reference, probability, 0.5)
    words = OWN if separate else NO_SUCH_STATE
    found.loc[rows, "reference"] = np.where(with_reference, words, NO_REFERENCE)
    _log(genes, kinds, n_ordinary=n_ordinary)
    return found


def _has_reference(kinds: Kinds, codes: np.ndarray, *, n_ordinary: int) -> np.ndarray:
    """Test which groups have ordinary cells that others can be compared with (bool).

    A group needs 20 of them. Those of a group that lies so much higher than others that its
    ordinary cells could be in the state are none.
    """
    ordinary = np.bincount(
        codes, weights=kinds.weight[:, :n_ordinary].sum(axis=1), minlength=len(kinds.names)
    )
    enough = ordinary >= MIN_ORDINARY
    if n_ordinary < len(kinds.mean):
        gap = kinds.mean[n_ordinary] - kinds.mean[n_ordinary - 1]
        return np.asarray(enough & (kinds.offset <= gap / 2))
    lowest = kinds.offset[enough].min() if enough.any() else 0.0
    return np.asarray(enough & (kinds.offset <= lowest + MIN_APART))


def _probability(scores: Array, kinds: Kinds, codes: np.ndarray, *, n_ordinary: int) -> Array:
    """Return the probability of the state, with a group's own shares, but even odds at most.

    A score above the mean of the highest kind counts as that mean, one below the ordinary kind next
    to the state as its mean: the tails of normal distributions say nothing there.
    """
    share = kinds.share.copy()
    ordinary, in_state = share[:, :n_ordinary], share[:, n_ordinary:]
    limited = np.minimum(in_state.sum(axis=1, keepdims=True), MAX_SHARE)
    in_state *= limited / in_state.sum(axis=1, keepdims=True)
    ordinary *= (1 - limited) / ordinary.sum(axis=1, keepdims=True)
    spread = np.sqrt(kinds.spread**2 + kinds.offset_variance[codes, None])
    aligned = np.clip(scores - kinds.offset[codes], kinds.mean[n_ordinary - 1], kinds.mean[-1])
    logs = np.log(share[codes] / spread)
    logs -= ((aligned[:, None] - kinds.mean) / spread) ** 2 / 2
    weight = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weight[:, n_ordinary:].sum(axis=1) / weight.sum(axis=1))


def _log(genes: Signature, kinds: Kinds, *, n_ordinary: int) -> None:
    """Say whether the scores of a signature show a state."""
    what = f"signature {genes.name} ({genes.path})"
    if n_ordinary == len(kinds.mean):
        logger.info("%s: scores of monocytic cells are of one kind: no such state", what)
        return
    logger.info(
        "%s: a state at a mean score of %.2f, above ordinary cells at %.2f (%.1f standard "
        "deviations apart)",
        *(what, kinds.mean[n_ordinary], kinds.mean[n_ordinary - 1]),
        kinds.separation[n_ordinary - 1],
    )
