"""The primary result as a paragraph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.primary import primary_row
from lammscope.cohort.contrasts import Contrast
from lammscope.core.verdicts import INCONCLUSIVE, SUGGESTIVE, SUPPORTED
from lammscope.core.words import p_words, readable
from lammscope.report.results import Results
from lammscope.report.sections.lines import least_words, limit_words

POSITIVE = (
    "Here LAMM cells are counted at the positive level: CSF1R+ CD14+ CD68+ monocytic cells, which "
    "in blood are nearly all monocytes."
)


def state_primary(results: Results, *, config: Mapping[str, Any]) -> str:
    """Return the primary result in words, or a sentence that says why there is none."""
    primary, level = config["primary"], config["lamm"]["level"]
    name = primary["contrast"]
    if name not in results.of_contrast:
        made = ", ".join(f"`{other}`" for other in results.of_contrast) or "none"
        return (
            f"There is no primary result: the cohort has no contrast `{name}` (its contrasts: "
            f"{made}). Name the pre-specified contrast under `primary` in the config."
        )
    own = results.of_contrast[name]
    sentence = primary_sentence(own.abundance, own.contrast, denominator=primary["denominator"])
    return f"{sentence} {POSITIVE}" if level == "positive" else sentence


def primary_sentence(table: pd.DataFrame, contrast: Contrast, *, denominator: str) -> str:
    """Return the primary result in plain words, with its uncertainty."""
    row = primary_row(table, denominator=denominator)
    whole = f"{denominator} cells" if denominator != "all" else "all cells"
    sizes = contrast.patients(int(row["n_test"]), int(row["n_reference"]))
    if row["status"] != "ok":
        reason = str(row["reason"])
        return (
            f"LAMM cells as a fraction of {whole} were not compared in the primary comparison "
            f"`{contrast.name}` ({sizes}): {reason}."
        )
    estimate, low, high, p, permuted, floor = (
        float(row[key])
        for key in ("estimate", "ci_low", "ci_high", "p", "p_permutation", "p_floor")
    )
    direction = "higher" if estimate > 0 else "lower"
    if row["verdict"] == INCONCLUSIVE:
        direction = f"numerically {direction}"
    verb = "may be" if row["verdict"] == SUGGESTIVE else "was"
    claim = contrast.claim(direction, whole, verb=verb)
    interval = f"95 % confidence interval {np.exp(low):.2f} to {np.exp(high):.2f}"
    return (
        f"In the primary comparison `{contrast.name}`, {claim}: {contrast.ratio()} "
        f"{np.exp(estimate):.2f} ({interval}; {sizes}; {p_words(p)}). "
        f"A permutation test gives {p_words(permuted)}; {limit_words(row)} it "
        f"cannot give less than p = {least_words(floor)}. {_verdict_sentence(row)}"
    )


def _verdict_sentence(row: Mapping[str, Any]) -> str:
    """Return the verdict, and what keeps it from being a better one."""
    verdict, _, rest = str(row["words"]).partition("; ")
    verdict = verdict.partition(":")[0]
    if row["verdict"] == SUPPORTED:
        return (
            "Verdict: supported (p, the permutation test and the result without any one patient "
            "agree)."
        )
    words = f"Verdict: {verdict} ({readable(rest)})."
    if row["verdict"] == INCONCLUSIVE:
        words += " This is no evidence that there is no difference."
    return words
