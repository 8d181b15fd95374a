"""Figures with a place per sample: names, numbers of cells, few cells and many samples."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from lammscope.core.words import elided
from lammscope.report.figures.cohort import CohortData, composition, qc_barcodes, qc_metrics
from lammscope.report.figures.points import free_of_overlap
from lammscope.report.figures.sample_axis import MAX_NAMED, NAME_LENGTH, NOTE
from lammscope.report.figures.style import STYLE, save_figure
from lammscope.report.order import sample_groups
from lammscope.report.point_names import read_points
from tests.unit.example_results import cohort_data, copies_of_samples, example

PIXELS = 1440  # the height of a screen; a figure may take three


@pytest.fixture(scope="module")
def data() -> CohortData:
    return cohort_data(example(n_patients=4, n_cells=40))


def of_samples(data: CohortData, n: int) -> CohortData:
    """Make n samples, as copies of those of the data."""
    copies, copied = copies_of_samples(data.samples["sample"], n)
    return replace(
        data,
        qc={new: data.qc[old] for new, old in copies.items()},
        qc_summary=copied(data.qc_summary),
        counts=copied(data.counts),
        samples=copied(data.samples),
    )


def draw(function: Callable[[CohortData], Figure], data: CohortData) -> Figure:
    with rc_context(STYLE):
        return function(data)


def names_below(axis: Axes) -> list[str]:
    return [label.get_text() for label in axis.get_xticklabels()]


def numbers_above(axis: Axes) -> list[str]:
    notes = [text for text in axis.texts if isinstance(text, Annotation)]
    return [note.get_text() for note in notes if note.get_text().replace(",", "").isdigit()]


def test_bars_have_the_label_of_their_sample_and_its_number_of_cells(data: CohortData) -> None:
    labels = data.samples["sample"].map(lambda name: f"{name}, labeled")
    labeled = replace(data, samples=data.samples.assign(label=labels))
    upper, lower = draw(composition, labeled).axes
    groups = sample_groups(labeled.samples)
    assert names_below(lower) == [f"{name}, labeled" for name in groups["sample"]]
    parts = data.counts[data.counts["partition"].astype(bool)]
    sizes = parts.groupby("sample")["n_cells"].sum()[groups["sample"]]
    assert numbers_above(upper) == [f"{size:,}" for size in sizes]


def test_a_library_of_one_cell_is_pale_and_hatched(data: CohortData) -> None:
    poor = data.samples["sample"].iloc[0]
    counts = data.counts.copy()
    inside = (counts["sample"] == poor) & counts["partition"].astype(bool)
    counts.loc[inside, "n_cells"] = [1, *[0] * (int(inside.sum()) - 1)]
    axis = draw(composition, replace(data, counts=counts)).axes[0]
    hatched = [
        patch
        for bars in axis.containers
        if isinstance(bars, BarContainer)
        for patch in bars.patches
        if patch.get_hatch()
    ]
    place = sample_groups(data.samples)["sample"].tolist().index(poor)
    (bar,) = hatched
    solid = [
        patch
        for bars in axis.containers
        if isinstance(bars, BarContainer)
        for patch in bars.patches
        if patch.get_height() and not patch.get_hatch() and patch.get_alpha() is None
    ]
    middles = [patch.get_x() + patch.get_width() / 2 for patch in solid]
    assert min(abs(bar.get_x() + bar.get_width() / 2 - middle) for middle in middles) > 0.9
    assert numbers_above(axis)[place] == "1"


@pytest.mark.parametrize("function", [composition, qc_barcodes, qc_metrics])
def test_three_hundred_samples_are_not_named_and_fit_on_a_screen(
    data: CohortData, function: Callable[[CohortData], Figure]
) -> None:
    figure = draw(function, of_samples(data, 300))
    assert [names_below(axis) for axis in figure.axes] == [[]] * len(figure.axes)
    assert figure.axes[-1].get_xlabel() == NOTE.format(300)
    assert figure.get_figheight() * 116 < PIXELS


@pytest.mark.parametrize("n", [1, MAX_NAMED])
def test_names_do_not_overlap(data: CohortData, n: int, tmp_path: Path) -> None:
    figure = draw(composition, of_samples(data, n))
    save_figure(figure, tmp_path / "composition", dpi=60)
    boxes = [label.get_window_extent() for label in figure.axes[-1].get_xticklabels()]
    assert len(boxes) == n
    ends = np.array([(box.x0, box.x1) for box in boxes])
    assert (ends[1:, 0] >= ends[:-1, 1] - 1).all()


def test_parts_of_bars_are_named_where_a_reader_points(data: CohortData, tmp_path: Path) -> None:
    png, _ = save_figure(draw(composition, data), tmp_path / "composition", dpi=60)
    names = [name for _, _, name in read_points(png)]
    sample = data.samples["sample"].iloc[0]
    own = [name for name in names if name.startswith(f"{sample}: ")]
    assert any("CD4 T" in name and name.endswith("% of 40 cells") for name in own)


def test_long_names_keep_both_ends() -> None:
    name = "University_Hospital_Somewhere_patient_0001_before_infusion_01"
    short = elided(name, NAME_LENGTH)
    assert len(short) == NAME_LENGTH
    assert (short[:5], short[-5:]) == ("Unive", "on_01")
    assert elided("P01 day 7", NAME_LENGTH) == "P01 day 7"


def test_names_of_points_cover_neither_points_nor_names() -> None:
    x, y = np.array([0.1, 0.15, 0.8]), np.array([0.5, 0.5, 0.5])
    free = free_of_overlap(x, y, [4, 4, 4], letter=0.02, line=0.05)
    assert free == [False, True, True]
    together = free_of_overlap(np.full(5, 0.3), np.full(5, 0.3), [3] * 5, letter=0.02, line=0.05)
    assert sum(together) == 1
