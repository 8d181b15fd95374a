"""How far the LAMM result of a contrast depends on what was chosen: one table of other analyses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.comparisons import compare
from lammscope.abundance.fractions import Measure, unit_cells
from lammscope.abundance.populations import Question, ask
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.sorts import Sorts

COLUMNS = [
    *("analysis", "setting", "population", "denominator", "scale", "estimate", "se", "ci_low"),
    *("ci_high", "df", "p", "log_odds", "log_odds_low", "log_odds_high", "n_test", "n_reference"),
    *("status", "verdict"),
]
DENOMINATORS = ("monocytic", "immune", "all", "T")
COVARIATES = ("product", "age", "sex", "ldh")  # of the patient sheet, tried where none is adjusted


@dataclass(frozen=True)
class Analysis:
    """One way to ask: what differs from the main analysis, and what is compared then."""

    analysis: str
    setting: str
    measure: Measure
    units: pd.DataFrame
    contrast: Contrast
    scale: str


def test_robustness(
    counts: pd.DataFrame,
    thresholds: pd.DataFrame,
    samples: pd.DataFrame,
    contrast: Contrast,
    *,
    denominator: str,
    level: str,
    probability: float,
    min_cells: int,
    exclude_pre_post: Sequence[str],
    sorts: Sorts,
) -> pd.DataFrame:
    """Test LAMM cells again with one choice changed at a time.

    Parameters
    ----------
    counts, thresholds
        From `counts.count_cells` and `counts.count_thresholds`.
    samples
        The sample table.
    denominator
        Of the main analysis.
    level, probability
        The configured level of LAMM calls, and the probability that a call needs.
    min_cells, exclude_pre_post, sorts
        As in `populations.test_abundance`.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, the `main` analysis first; then `scale` (arcsine), `denominator`,
        `level` (the other one), `threshold` (of the probability; the lowest counts uncertain
        cells as LAMM), `adjust` (without covariates, or with one more) and `leave_one_out`.
        `log_odds` is the estimate in log odds: on the arcsine scale by the delta method at the
        mean fraction, else the estimate itself.
    """
    rules: dict[str, Any] = {"exclude_pre_post": exclude_pre_post, "sorts": sorts}
    question = ask(counts, samples, contrast, **rules)
    analyses = _analyses(question, thresholds, contrast, denominator, level, probability)
    adjusted = _adjusted(counts, samples, contrast, denominator, rules)
    rows = [
        _row(analysis, min_cells)
        for analysis in chain(
            analyses, adjusted, _without_each_patient(question, contrast, denominator)
        )
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


test_robustness.__test__ = False  # type: ignore[attr-defined]  # the name is no test of pytest


def _scale(measure: Measure) -> str:
    return "log_ratio" if measure.ratio else "logit"


def _analyses(
    question: Question,
    thresholds: pd.DataFrame,
    contrast: Contrast,
    denominator: str,
    level: str,
    probability: float,
) -> Iterator[Analysis]:
    """The analyses of all patients with the contrast's own covariates."""
    units = question.units
    main = question.measure("LAMM", denominator)
    if main is None:
        return
    yield Analysis("main", "", main, units, contrast, _scale(main))
    if not main.ratio:
        yield Analysis("scale", "arcsine", main, units, contrast, "arcsine")
    for name in DENOMINATORS:
        measure = question.measure("LAMM", name)
        if name != denominator and measure is not None:
            yield Analysis("denominator", name, measure, units, contrast, _scale(measure))
    other = "positive" if level == "elevated" else "elevated"
    measure = question.measure(f"LAMM_{other}", denominator)
    if measure is not None:
        yield Analysis("level", other, measure, units, contrast, _scale(measure))
    own = thresholds[thresholds["level"] == level]
    wide = own.pivot(index="sample", columns="threshold", values="n_cells")
    for name, count in unit_cells(wide, units).items():
        if not np.isclose(float(name), probability):
            measure = replace(main, count=count)
            yield Analysis("threshold", name, measure, units, contrast, _scale(main))


def _adjusted(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    contrast: Contrast,
    denominator: str,
    rules: Mapping[str, Any],
) -> Iterator[Analysis]:
    """Without each covariate and without all of them; where there are none, with each known one."""
    if contrast.kind == "paired":  # a pair is its own control
        return
    if contrast.adjust:
        fewer = [tuple(c for c in contrast.adjust if c != left) for left in contrast.adjust]
        choices = dict.fromkeys([*fewer, ()])
    else:
        known = [c for c in COVARIATES if c in samples and samples[c].nunique() > 1]
        choices = dict.fromkeys((c,) for c in known if c != contrast.column)
    for adjust in choices:
        changed = replace(contrast, adjust=adjust)
        question = ask(counts, samples, changed, **rules)
        measure = question.measure("LAMM", denominator)
        if measure is not None:
            setting = ", ".join(adjust) or "none"
            yield Analysis("adjust", setting, measure, question.units, changed, _scale(measure))


def _without_each_patient(
    question: Question, contrast: Contrast, denominator: str
) -> Iterator[Analysis]:
    main = question.measure("LAMM", denominator)
    if main is None:
        return
    patients = question.units["patient"].astype(str)
    for patient in patients:
        keep = (patients != patient).to_numpy()
        measure = replace(main, count=main.count[keep], total=main.total[keep])
        units = question.units[keep]
        yield Analysis("leave_one_out", patient, measure, units, contrast, _scale(main))


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
    total = float(analysis.measure.total.sum())
    share = float(analysis.measure.count.sum()) / total if total else 0.0
    slope = 1.0
    if analysis.scale == "arcsine" and 0 < share < 1:
        slope = 2 / float(np.sqrt(share * (1 - share)))  # d logit(p) / d asin(sqrt(p))
    names = {"log_odds": "estimate", "log_odds_low": "ci_low", "log_odds_high": "ci_high"}
    return row | {to: slope * float(result[of]) for to, of in names.items()}
