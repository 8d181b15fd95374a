"""Content of the replication: the primary result of a first cohort, tested in this one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.core.verdicts import NOT_TESTABLE
from lammscope.core.words import p_words, readable, write_number

MEANINGS = {
    "replicated": "This cohort shows a difference in the same direction.",
    "contradicted": "The difference in this cohort, if any, is smaller than half of the first.",
    "inconclusive": "This neither confirms nor contradicts the first cohort.",
    NOT_TESTABLE: "This says nothing for or against the first cohort.",
}


def replication_section(table: pd.DataFrame, *, path: str) -> dict[str, Any] | None:
    """Return the replication in words and numbers; None if the run replicates nothing.

    Parameters
    ----------
    table
        `outcome/replication.tsv`, or an empty table.
    path
        The definition that the config names.
    """
    if table.empty:
        return None
    row = {str(key): value for key, value in table.iloc[0].items()}
    unit = readable(str(row["unit"]).removeprefix("log "))
    facts = [
        ("first cohort", *_effect(row, "first_")),
        ("this cohort", *_effect(row, "")),
        (
            "one-sided p",
            write_number(float(row["p_one_sided"]), "p"),
            f"permutation test: {write_number(float(row['p_permutation_one_sided']), 'p')}",
        ),
        (
            "power at half of the first effect",
            write_number(float(row["power_at_half"]), "fraction"),
            f"{unit} {write_number(float(row['half']), 'ratio')}",
        ),
        ("verdict", str(row["verdict"]), str(row["words"]).partition(": ")[2]),
    ]
    tested = np.isfinite(float(row["p_one_sided"]))
    return {
        "sentence": replication_sentence(row, unit=unit),
        "path": path,
        "facts": facts if tested else [facts[0], facts[-1]],
    }


def replication_sentence(row: Mapping[str, Any], *, unit: str) -> str:
    """Return the result of the one test in plain words."""
    first, first_detail = _effect(row, "first_")
    direction = readable(row["direction"])
    start = f"First cohort: LAMM cells {direction}, {unit} {first} ({first_detail})."
    if row["verdict"] == NOT_TESTABLE:
        return (
            f"{start} In this cohort it was not tested: {row['reason']}. {MEANINGS[NOT_TESTABLE]}"
        )
    own, detail = _effect(row, "")
    return (
        f"{start} Here the same comparison, with the same settings, gives {unit} {own} "
        f"({detail}; one-sided {p_words(row['p_one_sided'])}): {row['verdict']}. "
        f"{MEANINGS[str(row['verdict'])]}"
    )


def _effect(row: Mapping[str, Any], prefix: str) -> tuple[str, str]:
    """Return the ratio, and its interval with the patients."""
    ratio, low, high = (
        write_number(float(row[f"{prefix}{key}"]), "ratio")
        for key in ("estimate", "ci_low", "ci_high")
    )
    sizes = [f"{row[f'{prefix}n_{arm}']:.0f}" for arm in ("reference", "test")]
    return ratio, f"95 % CI {low} to {high}; {' and '.join(sizes)} patients"
