"""Figures of a trend: ordered slots, a scatter plot with its line, and headings."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from lammscope.cohort.comparison import Comparison
from lammscope.report.figures.contrast import ContrastData, contrast_slots
from lammscope.report.figures.forest import abundance_forest, ratio_heading
from lammscope.report.figures.fractions import lamm_contrast
from lammscope.report.table import abundance_rows
from tests.unit.abundance.questions import judge, run_abundance
from tests.unit.abundance.test_populations import SETTINGS, make_counts
from tests.unit.abundance.test_trends import NUMBER, ORDER, ORDERED, cohort, shift_of
from tests.unit.example_cohorts import BASELINE, asked


def data_of(entry: dict[str, Any], samples: pd.DataFrame) -> ContrastData:
    """Make counts of LAMM cells that rise with the number of `cohort`."""
    counts, contrast = make_counts(samples, LAMM=shift_of(cohort(), 0.9)), asked(entry, samples)
    table = run_abundance(counts, samples, contrast, **SETTINGS)
    empty = pd.DataFrame()
    return ContrastData(
        Comparison(samples, contrast), counts, judge(table, contrast, denominator="immune"),
        robustness=empty, expression=empty, level="positive", probability=0.9, min_cells=20,
        denominator="immune", exclude_pre_post=(),
        max_fdr=0.05, n_labels=3,
    )  # fmt: skip


def texts(figure: Figure) -> str:
    found = [each.get_text() for each in figure.findobj(Text) if isinstance(each, Text)]
    return "\n".join(found)


def test_values_of_an_order_stand_in_its_order() -> None:
    samples = cohort()
    data = data_of(ORDERED, samples)
    slots = contrast_slots(data.comparison).sort_values("rank")
    assert slots["slot"].drop_duplicates().tolist() == ORDER
    axis = lamm_contrast(data).axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ORDER


@pytest.mark.parametrize("log", [False, True])
def test_numbers_are_drawn_with_a_line_that_rises_where_cells_do(log: bool) -> None:
    samples = cohort()
    axis = lamm_contrast(data_of({**NUMBER, "log": log}, samples)).axes[1]
    assert axis.get_xlabel() == "LDH (U/l)"
    assert axis.get_xscale() == ("log" if log else "linear")
    (line,) = axis.lines
    assert (np.diff(line.get_ydata()) > 0).all()
    pre = samples[samples["phase"] == "pre"]
    assert line.get_xdata()[[0, -1]] == pytest.approx([pre["ldh"].min(), pre["ldh"].max()])
    axis.figure.canvas.draw()
    shown = [t for t in axis.get_xticks() if pre["ldh"].min() <= t <= pre["ldh"].max()]
    assert len(shown) >= 2


def test_patients_with_one_value_have_no_line() -> None:
    samples = cohort().assign(ldh=250.0)
    axis = lamm_contrast(data_of(NUMBER, samples)).axes[0]
    assert not axis.lines


def test_headings_say_what_a_ratio_is_per() -> None:
    samples = cohort()
    number = data_of(NUMBER, samples)
    words = texts(abundance_forest(number))
    assert "falls with LDH" in words
    assert "lowest third\nmean" in words
    assert ratio_heading(number.contrast) == "odds ratio\nper SD (95 % CI)"
    assert ratio_heading(asked(BASELINE, samples)) == "odds ratio (95 % CI)"
    table = abundance_rows(number.abundance, contrast=number.contrast, level="positive")
    labels = [column.label for column in table.columns]
    assert {"Mean, lowest third / highest third", "Odds ratio per SD (95 % CI)"} <= set(labels)
