"""Verdicts on all abundance tests of a run, and the table of its LAMM results."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance import comparisons
from lammscope.abundance.closure import may_follow
from lammscope.abundance.incomplete import disagreement
from lammscope.cohort.contrasts import Contrast
from lammscope.core.names import LAMM, LAMM_ROWS, LAMM_SCORE
from lammscope.core.verdicts import INCONCLUSIVE, NOT_TESTABLE, OTHERWISE, SUGGESTIVE, Evidence
from lammscope.core.words import write_number
from lammscope.stats.multiplicity import holm

COLUMNS = [*comparisons.COLUMNS, "p_holm", "verdict", "words", "doubts"]
LAMM_COLUMNS = [
    *("contrast", "population", "denominator", "scale", "role", "estimate", "ci_low", "ci_high"),
    *("p", "p_holm", "p_permutation", "p_floor", "n_test", "n_reference", "influence_low"),
    *("influence_high", "influence_patient", "influence_p_max", "detectable", "status", "verdict"),
    *("words", "doubts"),
]
RATIOS = ("logit", "log_ratio")  # scales whose estimates are logarithms of ratios


def judge_abundance(
    tests: Mapping[str, pd.DataFrame],
    contrasts: Mapping[str, Contrast],
    *,
    primary: Mapping[str, str],
    level: str,
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Correct for the number of tests, and give each row its verdict.

    Parameters
    ----------
    tests
        Tables of `populations.test_abundance` by contrast.
    contrasts
        The contrasts, by the same names.
    primary
        `contrast` and `denominator` of the pre-specified result.
    level
        The configured level, at which `LAMM` is counted.

    Returns
    -------
    tables
        `tests` with `p_holm`, `verdict` (of `core.verdicts.VERDICTS`), `words`, which also say
        where incomplete patients change the result, and `doubts`. The primary row is fixed in
        advance and not corrected. Holm's correction is over all other tested LAMM rows of the run:
        both levels and the mean score, but not the arcsine scale, which tests the same differences
        again. Other rows have their false discovery rate.
    lamm
        These LAMM rows with `contrast` and `role` (primary or secondary), the primary first.
    """
    if not tests:
        return {}, pd.DataFrame(columns=LAMM_COLUMNS)
    rows = pd.concat([table.assign(contrast=name) for name, table in tests.items()])
    rows = _correct_lamm(rows.reset_index(drop=True), primary=primary, level=level)
    parts = [_judge(own, contrasts[str(name)]) for name, own in rows.groupby("contrast")]
    judged = pd.concat(parts).sort_index()
    lamm = judged[judged["role"].ne("") & judged["scale"].ne("arcsine")]
    lamm = lamm[lamm["population"] != f"LAMM_{level}"]
    tables = {
        name: judged.loc[judged["contrast"] == name, COLUMNS].reset_index(drop=True)
        for name in tests
    }
    return tables, lamm.sort_values("role", kind="stable", ignore_index=True)[LAMM_COLUMNS]


def _correct_lamm(rows: pd.DataFrame, *, primary: Mapping[str, str], level: str) -> pd.DataFrame:
    """Add `role` ("" for other rows than LAMM's) and `p_holm`."""
    copy = rows["population"] == f"LAMM_{level}"  # the same cells as the row LAMM
    lamm = rows["population"].isin([*LAMM_ROWS, LAMM_SCORE])
    is_primary = (rows["contrast"] == primary["contrast"]) & rows["population"].eq(LAMM)
    is_primary &= rows["denominator"] == primary["denominator"]
    rows["role"] = np.where(is_primary, "primary", np.where(lamm, "secondary", ""))
    rows["p_holm"] = np.nan
    arcsine = rows["scale"] == "arcsine"
    for scale in (arcsine, ~arcsine):
        tested = lamm & ~copy & ~is_primary & scale
        rows.loc[tested, "p_holm"] = holm(rows.loc[tested, "p"])
    keys = ["contrast", "denominator", "scale"]
    of_lamm = rows[rows["population"] == LAMM].set_index(keys)[["role", "p_holm"]]
    places = pd.MultiIndex.from_frame(rows.loc[copy, keys])
    rows.loc[copy, ["role", "p_holm"]] = of_lamm.reindex(places).to_numpy()
    return rows


def _judge(rows: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """Add `verdict`, `words` and `doubts` to the rows of a contrast."""
    keys = ["denominator", "scale", "population"]
    estimates = rows.set_index(keys)["estimate"].to_dict()
    verdicts, words, doubts = [], [], []
    for record in rows.to_dict("records"):
        row: dict[str, Any] = {str(key): value for key, value in record.items()}
        explained, mover = "", str(row["without"])
        if mover and row["status"] == "ok":
            against = float(estimates[row["denominator"], row["scale"], mover])
            if may_follow(row, against=against):
                direction = "higher" if against > 0 else "lower"
                explained = f"may follow from {mover} {contrast.moving(direction)}"
        evidence = _evidence(row, explained)
        verdicts.append(evidence.verdict)
        beside = disagreement(row, contrast)
        words.append(verdict_words(row, evidence, contrast) + (OTHERWISE + beside) * bool(beside))
        doubts.append("; ".join(evidence.doubts) if evidence.verdict == SUGGESTIVE else "")
    return rows.assign(verdict=verdicts, words=words, doubts=doubts)


def _evidence(row: Mapping[str, Any], explained: str) -> Evidence:
    if row["role"] == "primary":
        corrected, correction = float(row["p"]), "p"
    elif row["role"] == "secondary":
        corrected, correction = float(row["p_holm"]), "Holm p"
    else:
        corrected, correction = float(row["fdr"]), "FDR"
    return Evidence.of_row(row, corrected=corrected, correction=correction, explained=explained)


def verdict_words(row: Mapping[str, Any], evidence: Evidence, contrast: Contrast) -> str:
    """Return the verdict in words: direction and doubts, compatible differences, or the reason."""
    verdict = evidence.verdict
    if verdict == NOT_TESTABLE:
        return f"{verdict}: {row['reason']}"
    if verdict == INCONCLUSIVE:
        ends = float(row["ci_low"]), float(row["ci_high"])
        if row["scale"] in RATIOS:
            what, (low, high) = "ratios", (write_number(end, "ratio") for end in ends)
        else:
            what, (low, high) = "differences", (f"{end:.2f}" for end in ends)
        return f"{verdict}; {what} of {low} to {high}{contrast.per} remain compatible"
    direction = contrast.verdict("higher" if float(row["estimate"]) > 0 else "lower")
    if verdict == SUGGESTIVE:
        return f"{verdict}: {direction}; {'; '.join(evidence.doubts)}"
    return f"{verdict}: {direction}"
