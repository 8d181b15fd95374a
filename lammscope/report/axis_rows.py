"""Rows of ligand-receptor pairs for report and figures: which are shown, and their words."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.axis.primary import PRIMARY
from lammscope.cohort.pairs import EITHER, NEEDED
from lammscope.core.verdicts import SUGGESTIVE, SUPPORTED
from lammscope.core.words import population_words, readable, write_number

CYCLOOXYGENASE = "PGE2_cyclooxygenase"  # shown where its synthase cannot be tested
SIGNAL = "co-expression that is compatible with signaling"
PROXY = "PGE2 itself is not measured; the expression of its enzymes is a proxy."
SPECIFICITY = "specificity"
KEYS = ("pair", "sender", "receiver")
RANKS = {SUPPORTED: 0, SUGGESTIVE: 1}  # others follow
TEXTS = ("verdict", "words", "doubts", "notes", "role", "status", "reason", "influence_patient")


def read_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `axis/pairs.{contrast}.tsv` with empty text where a file has none."""
    present = [name for name in TEXTS if name in table]
    return table.assign(
        **{name: table[name].astype(object).fillna("").astype(str) for name in present}
    )


def rows_in_order(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the tested rows: the pre-specified one, supported and suggestive ones, by p."""
    if pairs.empty:
        return pairs
    rows = pairs[pairs["p"].notna()]
    rows = rows.assign(
        _role=(rows["role"] != PRIMARY).astype(int),
        _rank=rows["verdict"].map(RANKS).fillna(len(RANKS)),
    )
    rows = rows.sort_values(["_role", "_rank", "p", *KEYS], kind="stable", ignore_index=True)
    return rows.drop(columns=["_role", "_rank"])


def told_rows(
    pairs: pd.DataFrame, primary: Mapping[str, str] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the row of the pre-specified pair, and that of the cyclooxygenases alone beside it.

    The latter is None unless the former is of PGE2 and was not tested. `primary` has `pair`,
    `sender` and `receiver`; in other contrasts than the primary one, it is a secondary row.
    """
    if primary is None or pairs.empty:
        return None, None
    row = _find(pairs, primary)
    if row is None or np.isfinite(row["p"]) or primary["pair"] != "PGE2":
        return row, None
    return row, _find(pairs, {**primary, "pair": CYCLOOXYGENASE})


def term_words(term: object) -> str:
    """Write a term such as `PTGS1|PTGS2+PTGES` as `(PTGS1 or PTGS2) and PTGES`."""
    parts = str(term).split(NEEDED)
    words = [part.replace(EITHER, " or ") for part in parts]
    if len(parts) > 1:
        words = [f"({word})" if " or " in word else word for word in words]
    return " and ".join(words)


def pair_words(name: object) -> str:
    """Return the readable name of a pair, such as `PDL1-PD1` with an en dash."""
    if name == CYCLOOXYGENASE:
        return "Cyclooxygenase alone"
    return re.sub(r"_(?=[A-Z0-9])", "\N{EN DASH}", str(name)).replace("_", " ")


def route_words(row: Mapping[Any, Any]) -> str:
    """Return sender and receiver of a row in words."""
    return f"{population_words(row['sender'])} to {population_words(row['receiver'])}"


def reason_words(reason: object) -> str:
    """Return why a row was not tested, with readable names of groups of cells."""
    return readable(re.sub(r"LAMM_\w+", lambda found: readable(found[0]), str(reason)))


def fold(value: float) -> str:
    """Write a difference of log2 values as a ratio."""
    return write_number(float(value) * np.log(2), "ratio")


def fold_words(row: Mapping[Any, Any], measure: str = "") -> str:
    """Write the ratio of a measure with its 95 % interval; "" if it is missing.

    `measure` is a prefix of columns, as `sender_`, or `specificity`.
    """
    keys = effect_keys(measure.removesuffix("_"))
    if not np.isfinite(row[keys[0]]):
        return ""
    ratio, low, high = (fold(row[key]) for key in keys)
    return f"{ratio} ({low} to {high})"


def effect_keys(measure: str) -> tuple[str, str, str]:
    """Return the columns of the estimate and the interval of a measure; "" is the row's own."""
    if measure == SPECIFICITY:
        return SPECIFICITY, f"{SPECIFICITY}_low", f"{SPECIFICITY}_high"
    prefix = f"{measure}_" if measure else ""
    return f"{prefix}estimate", f"{prefix}ci_low", f"{prefix}ci_high"


def _find(pairs: pd.DataFrame, wanted: Mapping[str, str]) -> dict[str, Any] | None:
    same = np.logical_and.reduce([pairs[key].astype(str) == wanted[key] for key in KEYS])
    rows = pairs[same].to_dict("records")
    return {str(key): value for key, value in rows[0].items()} if rows else None
