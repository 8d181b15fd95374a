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

from lammscope.axis.batches import AxisQuestion, Batch, find_problems, unit_difference
from lammscope.axis.effects import NUMBERS, effect_numbers
from lammscope.axis.primary import PRIMARY, SECONDARY
from lammscope.axis.specificity import COLUMNS as SPECIFICITY
from lammscope.axis.specificity import specific_terms
from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.permutation import Permutations, permutation_p
from lammscope.core.names import ALPHA
from lammscope.core.verdicts import INCONCLUSIVE, NOT_TESTABLE, SUGGESTIVE, Evidence
from lammscope.core.words import write_number
from lammscope.stats.influence import largest_p, leave_one_out
from lammscope.stats.multiplicity import benjamini_hochberg

MEASURES = {"sum": "", "sender": "sender_", "receiver": "receiver_", "supply": "supply_"}
EVIDENCE = ("p_permutation", "p_floor", "influence_p_max")
TEXTS = ("permutation_scheme", "influence_patient", "notes")
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
    parts = [_test_batch(batch, permutations, primary) for batch in question.batches]
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    )
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
) -> dict[str, np.ndarray]:
    """Test the pairs of a batch: columns of one row per pair, with a status if it is not tested."""
    contrast, n_pairs = batch.patients.contrast, len(batch.pairs)
    found = find_problems(batch)
    status, reason = (np.array(own, dtype=object) for own in zip(*found, strict=True))
    numbers = [f"{mark}{number}" for mark in MEASURES.values() for number in NUMBERS]
    table: dict[str, np.ndarray] = {
        name: np.full(n_pairs, np.nan) for name in (*numbers, *EVIDENCE)
    }
    texts = {"permutation_scheme": "", "influence_patient": "", "notes": _left_out(batch)}
    texts |= {"sender": batch.sender, "receiver": batch.receiver}
    table |= {name: np.full(n_pairs, text, dtype=object) for name, text in texts.items()}
    sizes = contrast.arm_sizes(batch.patients.units)
    table |= {name: np.full(n_pairs, size) for name, size in sizes.items()} | _means(batch)
    table |= {
        name: np.array([str(getattr(pair, name)) for pair in batch.pairs], dtype=object)
        for name in ("name", "kind", "ligand", "receptor", "source")
    }
    table["pair"] = table.pop("name")
    rows = np.flatnonzero(status == "")
    for measure, levels in batch.levels.items() if len(rows) else ():
        values = unit_difference(levels[rows])
        tested_values = effect_numbers(values, batch.patients.design, batch.patients.at)
        for number, own in tested_values.items():
            table[f"{MEASURES[measure]}{number}"][rows] = own
    tested = np.isfinite(table["p"])
    is_flat = (status == "") & ~tested
    reason[is_flat] = "the patients do not differ"
    status[is_flat], status[tested] = "no_variation", "ok"
    is_primary = np.array([_is_primary(batch, pair.name, primary) for pair in batch.pairs])
    role = np.where(is_primary, PRIMARY, np.where(tested, SECONDARY, "")).astype(object)
    wanted = np.flatnonzero(tested & ((table["p"] < ALPHA) | is_primary))
    if len(wanted):
        for name, own in _evidence(batch, wanted, permutations).items():
            table[name][wanted] = own
    return table | {"status": status, "reason": reason, "role": role}


def _evidence(batch: Batch, rows: np.ndarray, permutations: Permutations) -> dict[str, Any]:
    """Test the sums of some rows by permutation, and without each patient."""
    values = unit_difference(batch.levels["sum"][rows])
    patients = batch.patients
    design, at = patients.design, patients.at
    scheme = patients.contrast.permutations(
        patients.units, max_exact=permutations.max_exact, n_draws=permutations.n_draws
    )
    left_out = leave_one_out(values, design, at).p
    largest, patient = largest_p(left_out, patients.units["patient"].to_numpy(dtype=object))
    return {
        "p_permutation": permutation_p(values, design, at, scheme, seed=permutations.seed),
        "p_floor": scheme.floor,
        "permutation_scheme": scheme.words,
        "influence_p_max": largest,
        "influence_patient": patient,
    }


def _means(batch: Batch) -> dict[str, np.ndarray]:
    """Average the levels of both terms per arm; for pairs, per side."""
    arm = batch.patients.arm
    found: dict[str, np.ndarray] = {}
    for term in ("sender", "receiver"):
        levels = batch.levels[term]
        if (arm == "pair").all() and len(arm):
            by_side = dict(zip(SIDES, (levels[..., 0], levels[..., -1]), strict=True))
        else:
            values = unit_difference(levels)
            by_side = {side: values[:, arm == side] for side in SIDES}
        for side, own in by_side.items():
            unknown = np.full(len(own), np.nan)
            found[f"mean_{term}_{side}"] = own.mean(axis=1) if own.shape[1] else unknown
    return found


def _left_out(batch: Batch) -> str:
    """List the patients without enough cells (or without a gene in their matrix), and their arm."""
    contrast = batch.patients.contrast
    dropped = batch.question.units[~batch.patients.keep].to_dict("records")
    if not dropped:
        return ""
    named = [
        f"{unit['unit']} ({contrast.unit_label({str(k): v for k, v in unit.items()})})"
        for unit in dropped
    ]
    need = batch.question.min_cells
    return f"under {need} {batch.sender} or {need} {batch.receiver} cells: {', '.join(named)}"


def _is_primary(batch: Batch, pair: str, primary: Mapping[str, str] | None) -> bool:
    row = {"pair": pair, "sender": batch.sender, "receiver": batch.receiver}
    return primary is not None and all(row[key] == primary[key] for key in row)


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
