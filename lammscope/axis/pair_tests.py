"""Test ligand-receptor pairs in one contrast, with the patient as the unit.

Three things are tested of each pair, sender and receiver: the sender's term, the receiver's, and
their sum. A difference of the sum alone may come from either term. That both differ is the claim
(intersection-union test: Berger 1982, doi 10.1080/00401706.1982.10487790), and needs no further
correction. The supply of a ligand also counts the cells that send: it is the sender's term plus the
log fraction of the senders.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.axis.batches import AxisQuestion, Batch, find_problems, make_batches, unit_difference
from lammscope.axis.primary import PRIMARY, SECONDARY
from lammscope.axis.specificity import COLUMNS as SPECIFICITY
from lammscope.axis.specificity import specific_terms
from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.design import tested_column
from lammscope.cohort.permutation import Permutations, permutation_p
from lammscope.core.names import ALPHA, Array
from lammscope.core.verdicts import INCONCLUSIVE, NOT_TESTABLE, SUGGESTIVE, Evidence
from lammscope.core.words import write_number
from lammscope.stats.distributions import t_quantile
from lammscope.stats.effect import effect_test
from lammscope.stats.influence import largest_p, leave_one_out
from lammscope.stats.multiplicity import benjamini_hochberg

MEASURES = {"sum": "", "sender": "sender_", "receiver": "receiver_", "supply": "supply_"}
NUMBERS = ("estimate", "se", "ci_low", "ci_high", "df", "p")
EVIDENCE = ("p_permutation", "p_floor", "influence_p_max")
TEXTS = ("permutation_scheme", "influence_patient", "notes")
FLAT = 1e-10  # log2 counts per million: a smaller standard error is due to rounding
COLUMNS = [
    *("pair", "kind", "ligand", "receptor", "sender", "receiver", "role", "verdict", "words"),
    *(f"{mark}{number}" for mark in MEASURES.values() for number in NUMBERS),
    *("fdr", *EVIDENCE, *TEXTS, "doubts"),
    *(f"mean_{term}_{side}" for term in ("sender", "receiver") for side in SIDES),
    *(*SPECIFICITY, "n_test", "n_reference", "status", "reason", "source"),
]


def test_pairs(
    question: AxisQuestion, *, permutations: Permutations, primary: Mapping[str, str] | None
) -> pd.DataFrame:
    """Test each pair in each sender and receiver.

    Values are log2 counts per million, one per patient or the difference of a patient's two sides.
    They are tested as abundance is (`stats.effect.effect_test`), without moderation.

    Parameters
    ----------
    question
        What is compared.
    permutations
        Of the patients' sums, for the pre-specified row and rows with p below 0.05.
    primary
        `pair`, `sender` and `receiver` of the row that was specified in advance; None if this
        contrast has none.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`: those of the sum without a word before, those of the terms and of
        the supply with one. `fdr` is Benjamini-Hochberg over the tested rows of the contrast but
        the pre-specified one, which is not corrected. `verdict` is `supported` only if both terms
        differ (p below 0.05, the same sign), with the other evidence of `core.verdicts`; a
        difference counts from an FDR below 0.05 on. `mean_sender_test` and so on are levels of
        patients with enough cells, also where nothing is tested.
    """
    tables = [_test_batch(batch, permutations, primary) for batch in make_batches(question)]
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(tables, ignore_index=True)
    secondary = (table["role"] == SECONDARY).to_numpy()
    table["fdr"] = np.nan
    table.loc[secondary, "fdr"] = benjamini_hochberg(table.loc[secondary, "p"])
    table = table.merge(specific_terms(question), on=["pair", "sender"], how="left")
    table = _judge(table, question.comparison.contrast)
    order = table["role"].map({PRIMARY: 0}).fillna(1)
    return table.assign(order=order).sort_values(
        ["order", "p", "pair", "sender", "receiver"], kind="stable", ignore_index=True
    )[COLUMNS]


def _test_batch(
    batch: Batch, permutations: Permutations, primary: Mapping[str, str] | None
) -> pd.DataFrame:
    """Test the pairs of a batch: one row per pair, with a status where it cannot be tested."""
    contrast = batch.question.comparison.contrast
    status, reason = np.array(find_problems(batch), dtype=object).reshape(-1, 2).T
    table = pd.DataFrame(
        {
            "pair": [pair.name for pair in batch.pairs],
            "kind": [pair.kind for pair in batch.pairs],
            "ligand": [str(pair.ligand) for pair in batch.pairs],
            "receptor": [str(pair.receptor) for pair in batch.pairs],
            "sender": batch.sender,
            "receiver": batch.receiver,
            "status": status,
            "reason": reason,
            "source": [pair.source for pair in batch.pairs],
            "notes": _left_out(batch),
        }
    )
    empty = {f"{mark}{number}": np.nan for mark in MEASURES.values() for number in NUMBERS}
    table = table.assign(
        **empty,
        **dict.fromkeys(EVIDENCE, np.nan),
        **contrast.arm_sizes(batch.units),
        **_means(batch),
    )
    table["permutation_scheme"] = table["influence_patient"] = ""
    rows = np.flatnonzero((table["status"] == "").to_numpy())
    for measure, levels in batch.levels.items() if len(rows) else ():
        found = _test_values(unit_difference(levels[rows]), batch)
        for number, values in found.items():
            table.loc[rows, f"{MEASURES[measure]}{number}"] = values
    is_flat = (table["status"] == "") & table["p"].isna()
    table.loc[is_flat, "reason"] = "the patients do not differ"
    table.loc[is_flat, "status"] = "no_variation"
    table["status"] = table["status"].replace("", "ok")
    is_primary = _is_primary(table, primary)
    table["role"] = np.where(is_primary, PRIMARY, np.where(table["p"].notna(), SECONDARY, ""))
    wanted = np.flatnonzero(((table["p"] < ALPHA) | (is_primary & table["p"].notna())).to_numpy())
    if len(wanted):
        for name, values in _evidence(batch, wanted, permutations).items():
            table.loc[wanted, name] = values
    return table


def _test_values(values: Array, batch: Batch) -> dict[str, Array]:
    """Return the numbers of each row of values (rows x units); nan where patients do not differ."""
    effect = effect_test(values, batch.full.to_numpy(), tested_column(batch.full))
    half = t_quantile(1 - ALPHA / 2, effect.df) * effect.se
    low, high = effect.estimate - half, effect.estimate + half
    found = (effect.estimate, effect.se, low, high, effect.df, effect.p)
    known = effect.se > FLAT
    return {
        number: np.where(known, own, np.nan) for number, own in zip(NUMBERS, found, strict=True)
    }


def _evidence(batch: Batch, rows: np.ndarray, permutations: Permutations) -> dict[str, Any]:
    """Test the sums of some rows by permutation, and without each patient."""
    values = unit_difference(batch.levels["sum"][rows])
    design, at = batch.full.to_numpy(), tested_column(batch.full)
    scheme = batch.question.comparison.contrast.permutations(
        batch.units, max_exact=permutations.max_exact, n_draws=permutations.n_draws
    )
    left_out = leave_one_out(values, design, at).p
    largest, patient = largest_p(left_out, batch.units["patient"].to_numpy(dtype=object))
    return {
        "p_permutation": permutation_p(values, design, at, scheme, seed=permutations.seed),
        "p_floor": scheme.floor,
        "permutation_scheme": scheme.words,
        "influence_p_max": largest,
        "influence_patient": patient,
    }


def _means(batch: Batch) -> dict[str, Any]:
    """Average the levels of both terms per arm; for pairs, per side."""
    arm = batch.question.comparison.contrast.groups(batch.units)
    found: dict[str, Any] = {}
    for term in ("sender", "receiver"):
        levels = batch.levels[term]
        if (arm == "pair").all() and len(arm):
            by_side = dict(zip(SIDES, (levels[..., 0], levels[..., -1]), strict=True))
        else:
            values = unit_difference(levels)
            by_side = {side: values[:, arm == side] for side in SIDES}
        for side, own in by_side.items():
            found[f"mean_{term}_{side}"] = own.mean(axis=1) if own.shape[1] else np.nan
    return found


def _left_out(batch: Batch) -> str:
    """List the patients without enough cells (or without a gene in their matrix), and their arm."""
    contrast = batch.question.comparison.contrast
    dropped = batch.question.units[~batch.keep].to_dict("records")
    if not dropped:
        return ""
    named = [
        f"{unit['unit']} ({contrast.unit_label({str(k): v for k, v in unit.items()})})"
        for unit in dropped
    ]
    need = batch.question.min_cells
    return f"under {need} {batch.sender} or {need} {batch.receiver} cells: {', '.join(named)}"


def _is_primary(table: pd.DataFrame, primary: Mapping[str, str] | None) -> pd.Series:
    if primary is None:
        return pd.Series(data=False, index=table.index)
    same = [table[key] == primary[key] for key in ("pair", "sender", "receiver")]
    return pd.concat(same, axis=1).all(axis=1)


def _judge(table: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """Add `verdict`, `words` and `doubts`."""
    found = [_verdict(row, contrast) for row in table.to_dict("records")]
    return table.assign(
        **dict(zip(("verdict", "words", "doubts"), zip(*found, strict=True), strict=True))
    )


def _verdict(row: Mapping[Any, Any], contrast: Contrast) -> tuple[str, str, str]:
    """Return the verdict on a row, the same in words, and the doubts."""
    if not np.isfinite(row["p"]):
        return NOT_TESTABLE, f"{NOT_TESTABLE}: {row['reason']}", ""
    is_primary = row["role"] == PRIMARY
    evidence = Evidence.of_row(
        row,
        corrected=float(row["p"] if is_primary else row["fdr"]),
        correction="p" if is_primary else "FDR",
        explained=term_doubt(row),
    )
    verdict = evidence.verdict
    if not is_primary and not row["fdr"] < ALPHA:
        verdict = INCONCLUSIVE  # of hundreds of pairs, 5 % have p below 0.05 by chance
    if verdict == INCONCLUSIVE:
        low, high = (
            write_number(float(row[end]) * np.log(2), "ratio") for end in ("ci_low", "ci_high")
        )
        return verdict, f"{verdict}; ratios of {low} to {high}{contrast.per} remain compatible", ""
    direction = contrast.verdict("higher" if row["estimate"] > 0 else "lower")
    if verdict == SUGGESTIVE:
        doubts = "; ".join(evidence.doubts)
        return verdict, f"{verdict}: {direction}; {doubts}", doubts
    return verdict, f"{verdict}: {direction}", ""


def term_doubt(row: Mapping[Any, Any]) -> str:
    """Say which term does not differ by itself in the direction of the sum; "" if both do."""
    differs = {
        term: row[f"{term}_p"] < ALPHA and row[f"{term}_estimate"] * row["estimate"] > 0
        for term in ("sender", "receiver")
    }
    lacking = [term for term, own in differs.items() if not own]
    if not lacking:
        return ""
    if len(lacking) == 2:
        return "neither term differs by itself"
    (term,) = lacking
    return f"the {term}'s term does not differ by itself (p {row[f'{term}_p']:.2g})"
