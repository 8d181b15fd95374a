"""Robustness of the LAMM result of a contrast: tests with one choice changed at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.comparisons import compare
from lammscope.abundance.fractions import Measure, unit_cells
from lammscope.abundance.populations import Question
from lammscope.cohort.contrasts import Contrast
from lammscope.core.names import LAMM_SCORE, LEVELS

COLUMNS = [
    *("analysis", "setting", "population", "denominator", "scale", "estimate", "se", "ci_low"),
    *("ci_high", "df", "p", "log_odds", "log_odds_low", "log_odds_high", "n_test", "n_reference"),
    *("status", "reason"),
]
CORRECTED = "macrophage_like"  # the level whose recall depends on the number of its cells
DENOMINATORS = ("monocytic", "immune", "all", "T")
COVARIATES = ("product", "age", "sex", "ldh")  # tried one at a time if the contrast has none


@dataclass(frozen=True)
class Analysis:
    """One analysis: the choice that differs from the main analysis, and what it compares."""

    analysis: str
    setting: str
    measure: Measure
    units: pd.DataFrame
    contrast: Contrast
    scale: str


def test_robustness(
    question: Question,
    thresholds: pd.DataFrame,
    *,
    denominator: str,
    level: str,
    probability: float,
) -> pd.DataFrame:
    """Test LAMM cells again with one choice changed at a time.

    Parameters
    ----------
    question
        Question of the main analysis.
    thresholds
        From `counts.count_thresholds`.
    denominator
        Denominator of the main analysis.
    level, probability
        The configured level of LAMM calls, and the probability from which a cell is called.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, the `main` analysis first; then `scale` (arcsine), `denominator`,
        `level` (the other one), `score` (the mean LAMM score), `expected` (sums of
        probabilities instead of called cells), `corrected` (macrophage-like cells, corrected for
        recall), `threshold` (on the probability; the lowest counts
        uncertain cells as LAMM), `adjust` (covariates left out, or one added) and `leave_one_out`.
        `log_odds` is the estimate in log odds: on the arcsine scale by the delta method at the
        mean fraction, missing for the score, otherwise the estimate itself.
    """
    rows = [
        _row(analysis, question.min_cells)
        for analysis in chain(
            _analyses(question, thresholds, denominator, level, probability),
            _adjusted(question, denominator),
            _without_each_patient(question, denominator),
        )
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _analyses(
    question: Question,
    thresholds: pd.DataFrame,
    denominator: str,
    level: str,
    probability: float,
) -> Iterator[Analysis]:
    """Yield the analyses of all patients with the covariates of the contrast."""
    units, contrast = question.units, question.contrast
    main = question.measure("LAMM", denominator)
    if main is None:
        return
    yield Analysis("main", "", main, units, contrast, main.scales[0])
    if not main.ratio:
        yield Analysis("scale", "arcsine", main, units, contrast, "arcsine")
    for name in DENOMINATORS:
        measure = question.measure("LAMM", name)
        if name != denominator and measure is not None:
            yield Analysis("denominator", name, measure, units, contrast, measure.scales[0])
    (other,) = (each for each in LEVELS if each != level)
    measure = question.measure(f"LAMM_{other}", denominator)
    if measure is not None:
        yield Analysis("level", other, measure, units, contrast, measure.scales[0])
    score = question.measure(LAMM_SCORE, "monocytic")
    if score is not None:
        yield Analysis("score", "", score, units, contrast, "mean")
    if question.scores is not None:
        sums = question.scores.set_index("sample")[[f"expected_{level}"]]
        expected = replace(main, count=unit_cells(sums, units)[f"expected_{level}"])
        yield Analysis("expected", "", expected, units, contrast, main.scales[0])
        yield from _corrected(question, question.scores, denominator)
    own = thresholds[thresholds["level"] == level]
    wide = own.pivot(index="sample", columns="threshold", values="n_cells")
    for name, count in unit_cells(wide, units).items():
        if not np.isclose(float(name), probability):
            measure = replace(main, count=count)
            yield Analysis("threshold", name, measure, units, contrast, main.scales[0])


def _corrected(question: Question, scores: pd.DataFrame, denominator: str) -> Iterator[Analysis]:
    """Yield the number of macrophage-like cells that is corrected for recall."""
    measure = question.measure(f"LAMM_{CORRECTED}", denominator)
    if measure is None:
        return
    name = f"corrected_{CORRECTED}"
    count = unit_cells(scores.set_index("sample")[[name]], question.units)[name]
    units, contrast, scale = question.units, question.contrast, measure.scales[0]
    plain = Analysis("corrected", CORRECTED, measure, units, contrast, scale)
    # Samples without called cells have some by correction: too few called ones are too few.
    tested = _row(plain, question.min_cells)["status"] == "ok"
    yield replace(plain, measure=replace(measure, count=count)) if tested else plain


def _adjusted(question: Question, denominator: str) -> Iterator[Analysis]:
    """Yield analyses without each and all covariates; if there are none, with one of each."""
    contrast, samples = question.contrast, question.comparison.samples
    if not contrast.between_patients:  # a pair is its own control
        return
    if contrast.adjust:
        fewer = [tuple(c for c in contrast.adjust if c != left) for left in contrast.adjust]
        choices = dict.fromkeys([*fewer, ()])
    else:
        known = [c for c in COVARIATES if c in samples and samples[c].nunique() > 1]
        choices = dict.fromkeys((c,) for c in known if c != contrast.column)
    for adjust in choices:
        other = question.adjusted(adjust)
        measure = other.measure("LAMM", denominator)
        if measure is not None:
            setting, scale = ", ".join(adjust) or "none", measure.scales[0]
            yield Analysis("adjust", setting, measure, other.units, other.contrast, scale)


def _without_each_patient(question: Question, denominator: str) -> Iterator[Analysis]:
    main = question.measure("LAMM", denominator)
    if main is None:
        return
    patients = question.units["patient"].astype(str)
    for patient in patients:
        keep = (patients != patient).to_numpy()
        measure = replace(main, count=main.count[keep], total=main.total[keep])
        units = question.units[keep]
        yield Analysis("leave_one_out", patient, measure, units, question.contrast, main.scales[0])


def _row(analysis: Analysis, min_cells: int) -> dict[str, Any]:
    (result,) = compare(
        [analysis.measure],
        analysis.units,
        analysis.contrast,
        scale=analysis.scale,
        min_cells=min_cells,
        permutations=None,
    )
    row: dict[str, Any] = {name: result[name] for name in COLUMNS if name in result}
    row |= {"analysis": analysis.analysis, "setting": analysis.setting}
    slope = log_odds_slope(analysis.measure, scale=analysis.scale)
    names = {"log_odds": "estimate", "log_odds_low": "ci_low", "log_odds_high": "ci_high"}
    return row | {to: slope * float(result[of]) for to, of in names.items()}


def log_odds_slope(measure: Measure, *, scale: str) -> float:
    """Return the log odds per unit of an estimate on a scale; nan for a mean, which has none.

    On the arcsine scale, by the delta method at the mean fraction of all units.
    """
    total = float(measure.total.sum())
    share = float(measure.count.sum()) / total if total else 0.0
    if scale == "arcsine" and 0 < share < 1:
        return 2 / float(np.sqrt(share * (1 - share)))  # d logit(p) / d asin(sqrt(p))
    return np.nan if measure.mean else 1.0
