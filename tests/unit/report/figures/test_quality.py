"""Figures of quality control: what they draw, which samples they show, and missing data."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.text import Text

from lammscope.report.figures.catalog import drawing_functions, figure_names
from lammscope.report.figures.draw import draw_figures
from lammscope.report.figures.droplets import ambient_deviance, genes_by_umis, knee
from lammscope.report.figures.losses import (
    contamination_by_sample,
    doublet_scores,
    lineage_losses,
)
from lammscope.report.figures.quality import (
    AMBIENT,
    CELL,
    CLASS_COLORS,
    MAX_PANELS,
    REMOVED,
    QualityData,
    barcode_classes,
)
from lammscope.report.figures.sample_axis import MAX_NAMED
from lammscope.report.figures.style import STYLE, save_figure
from tests.unit.example_results import contamination_table, copies_of_samples, example, quality_data

LEAST_POINTS = 7.0


@pytest.fixture(scope="module")
def data() -> QualityData:
    """Quality control of 16 samples."""
    return quality_data(example(n_patients=8, n_cells=60))


def of_samples(data: QualityData, n: int) -> QualityData:
    """Make n samples, as copies of those of the data."""
    copies, copied = copies_of_samples(data.qc, n)
    return replace(
        data,
        qc={new: data.qc[old] for new, old in copies.items()},
        doublets={new: data.doublets[old] for new, old in copies.items()},
        lineages=copied(data.lineages),
        contamination=copied(data.contamination),
        verdicts=copied(data.verdicts),
        samples=copied(data.samples),
    )


def failing(data: QualityData, *names: str) -> QualityData:
    failed = data.verdicts["sample"].isin(names)
    verdicts = data.verdicts["verdict"].mask(failed, "failed")
    return replace(data, verdicts=data.verdicts.assign(verdict=verdicts))


def panels_of(figure: Figure) -> dict[str, Axes]:
    return {axis.get_title(loc="left"): axis for axis in figure.axes if axis.get_title(loc="left")}


def draw(function: Any, data: QualityData) -> Figure:
    with rc_context(STYLE):
        figure = function(data)
    assert isinstance(figure, Figure)
    return figure


def words_of(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def places_of(dots: PathCollection) -> np.ndarray:
    return np.asarray(dots.get_offsets())


def crowds(n: int, *, qc: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([qc] * n, ignore_index=True)


def test_a_barcode_is_a_cell_ambient_rna_or_removed() -> None:
    qc = pd.DataFrame(
        {
            "passes": [True, False, False, False],
            "reasons": ["", "ambient,low_counts", "low_counts", "high_mt"],
        }
    )
    assert barcode_classes(qc).tolist() == [CELL, AMBIENT, REMOVED, REMOVED]


@pytest.mark.parametrize("function", [knee, genes_by_umis, ambient_deviance])
def test_samples_that_fail_come_first_and_the_rest_is_named(
    data: QualityData, function: Any
) -> None:
    many = of_samples(data, MAX_PANELS + 3)
    small = {"N007": many.qc["N007"].assign(passes=False)}
    figure = draw(function, failing(replace(many, qc={**many.qc, **small}), "N011"))
    titles = list(panels_of(figure))
    assert titles[:2] == ["N011 (failed)", "N007"]
    assert len(titles) == MAX_PANELS
    left_out = set(many.qc) - {title.split()[0] for title in titles}
    (note,) = [text.get_text() for text in figure.texts if "not shown" in text.get_text()]
    assert f"({len(left_out)})" in note
    assert all(name in note for name in left_out)


def test_the_colors_below_a_knee_are_the_shares_of_its_barcodes(data: QualityData) -> None:
    n = 2_000
    counts = np.geomspace(10_000, 200, n).astype(int)
    ambient = np.arange(n) >= n // 2
    qc = pd.DataFrame(
        {"total_counts": counts, "passes": ~ambient, "reasons": np.where(ambient, "ambient", "")}
    ).sample(frac=1, random_state=1)
    (axis,) = panels_of(draw(knee, replace(data, qc={"S": qc}))).values()
    colors = {name: to_hex(color) for name, color in CLASS_COLORS.items()}
    areas = {
        to_hex(patch.get_facecolor()): patch.get_data()
        for patch in axis.patches
        if isinstance(patch, StepPatch) and patch.get_fill()
    }
    tall = {}
    for name, color in colors.items():
        tops, ranks, bottoms = areas[color]
        tall[name] = ranks[:-1][tops > bottoms]
    assert not len(tall[REMOVED])
    assert max(tall[CELL]) < np.log10(n / 2) <= max(tall[AMBIENT])
    assert min(tall[AMBIENT]) > np.log10(n / 2) - 0.1


def test_genes_are_colored_by_mitochondrial_umis_with_the_limits_of_the_sample(
    data: QualityData,
) -> None:
    name = next(iter(data.qc))
    samples = data.samples.assign(
        min_counts=np.where(data.samples["sample"] == name, 900.0, np.nan)
    )
    figure = draw(genes_by_umis, replace(data, samples=samples))
    of_limits = {}
    for title, axis in panels_of(figure).items():
        (hexagons,) = [part for part in axis.collections if isinstance(part, PolyCollection)]
        assert hexagons.get_rasterized()
        values = np.asarray(hexagons.get_array())
        assert values.min() >= data.qc[title]["pct_mt"].min()
        assert values.max() <= data.qc[title]["pct_mt"].max()
        of_limits[title] = 10 ** float(np.asarray(axis.lines[0].get_xdata())[0])
    assert of_limits.pop(name) == pytest.approx(900)
    assert list(of_limits.values()) == pytest.approx([500] * len(of_limits))


def test_deviance_is_drawn_by_class_and_says_where_nothing_was_tested(data: QualityData) -> None:
    names = list(data.qc)[:3]
    qc = {name: crowds(3, qc=data.qc[name]) for name in names}
    qc[names[2]] = qc[names[2]].assign(ambient_deviance=np.nan)
    contamination = data.contamination.assign(
        ambient_profile=["empty droplets", *["all barcodes"] * (len(data.contamination) - 1)]
    )
    panels = panels_of(draw(ambient_deviance, replace(data, qc=qc, contamination=contamination)))
    said = {title: [text.get_text() for text in axis.texts] for title, axis in panels.items()}
    assert said == {
        names[0]: [],
        names[1]: ["not tested"],
        names[2]: ["ambient RNA\nis not known"],
    }
    for name in names:
        (dots,) = [c for c in panels[name].collections if isinstance(c, PathCollection)]
        if name == names[2]:
            assert not len(places_of(dots))
            continue
        assert dots.get_rasterized()
        drawn = {to_hex(color) for color in np.asarray(dots.get_facecolor())}
        assert drawn == {CLASS_COLORS[kind] for kind in barcode_classes(qc[name])}
        assert len(places_of(dots)) <= len(data.qc[name])  # equal barcodes are one dot


def test_losses_are_shares_of_the_barcodes_of_a_lineage(data: QualityData) -> None:
    base = dict.fromkeys(
        ["n_ambient", "n_low_counts", "n_few_genes", "n_high_mt", "n_high_hb", "n_high_counts"], 0
    ) | {"n_doublets": 0, "n_dropped": 0, "n_cells": 0}
    rows = [
        {"sample": "A", "likely_lineage": "T_NK", "n_barcodes": 140, "n_ambient": 40,
         "n_high_mt": 20, "n_cells": 80, "pct_lost": 20.0},
        {"sample": "B", "likely_lineage": "T_NK", "n_barcodes": 100, "n_low_counts": 20,
         "n_doublets": 40, "n_cells": 40, "pct_lost": 50.0},
        {"sample": "B", "likely_lineage": "plasma", "n_barcodes": 5, "n_cells": 5, "pct_lost": 0.0},
        {"sample": "B", "likely_lineage": "other", "n_barcodes": 900, "n_cells": 900,
         "pct_lost": 0.0},
    ]  # fmt: skip
    figure = draw(lineage_losses, replace(data, lineages=pd.DataFrame([base | r for r in rows])))
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [
        "other (900)", "plasma (5)", "T, NK (200)",
    ]  # fmt: skip
    widths = {
        bars.get_label(): bars.patches[2].get_width()
        for bars in left.containers
        if isinstance(bars, BarContainer)
    }
    assert widths == pytest.approx(
        {"kept": 0.6, "doublets": 0.2, "high mitochondrial": 0.1, "few UMIs or genes": 0.1}
    )
    dots = [places_of(c) for c in right.collections if isinstance(c, PathCollection)]
    places = {float(x): round(float(y)) for part in dots for x, y in part}
    assert places == {20.0: 2, 50.0: 2, 0.0: 0}  # plasma cells are too few for a percentage
    assert {text.get_text() for text in right.texts} - {""} == {"B"}


def test_doublets_and_single_cells_are_counted_apart(data: QualityData) -> None:
    called = pd.DataFrame(
        {"cell": [f"c{i}" for i in range(100)], "doublet_score": [0.04] * 90 + [0.36] * 10,
         "doublet": [False] * 90 + [True] * 10}
    )  # fmt: skip
    few = called.head(20).assign(doublet_score=np.nan)
    figure = draw(doublet_scores, replace(data, doublets={"many": called, "few": few}))
    (panel,) = panels_of(figure).values()
    single, doublets = [p.get_data() for p in panel.patches if isinstance(p, StepPatch)]
    (of_single, edges, _), (of_doublets, _, _) = single, doublets
    assert (of_single.sum(), of_doublets.sum()) == (90, 10)
    assert edges[of_single.argmax()] <= 0.2 < edges[of_doublets.argmax()]  # square roots
    assert "called: 10.0 % of 100" in words_of(figure)
    assert "not scored: few" in words_of(figure)


def test_contamination_has_intervals_and_a_cross_where_it_is_not_known(data: QualityData) -> None:
    figure = draw(contamination_by_sample, data)
    (axis,) = figure.axes
    estimates, unknown = [c for c in axis.collections if isinstance(c, PathCollection)]
    share = data.contamination["contamination"]
    assert sorted(places_of(estimates)[:, 1]) == pytest.approx(sorted(100 * share.dropna()))
    assert len(places_of(unknown)) == share.isna().sum() == 1
    assert places_of(unknown)[0, 1] < 0  # and not at 0, which would be an estimate
    assert "cannot be estimated" in words_of(figure)
    (intervals, *_) = [c for c in axis.collections if isinstance(c, LineCollection)]
    lengths = [np.ptp(np.asarray(line)[:, 1]) for line in intervals.get_segments()]
    assert sorted(lengths) == pytest.approx(sorted(80 * share.dropna()))
    words = words_of(figure).replace(",\n", ", ").split("\n")
    assert {"responder, pre", "non-responder, post"} <= set(words)


def test_of_very_many_samples_the_most_contaminated_are_named(data: QualityData) -> None:
    names = [f"N{i:03d}" for i in range(MAX_NAMED + 1)]
    many = replace(of_samples(data, MAX_NAMED + 1), contamination=contamination_table(names))
    figure = draw(contamination_by_sample, many)
    label = figure.axes[0].get_xlabel()
    assert f"{names[-2]} (12 %)" in label
    assert names[0] not in words_of(figure)


@pytest.mark.parametrize("n_samples", [1, 2, 25, 200])
def test_text_is_large_enough_and_inside_any_number_of_samples(
    data: QualityData, n_samples: int, tmp_path: Path
) -> None:
    drawn = draw_figures(of_samples(data, n_samples), functions=drawing_functions("quality"))
    assert list(drawn) == figure_names("quality")
    for name, figure in drawn.items():
        _, pdf = save_figure(figure, tmp_path / name, dpi=40)
        assert pdf.stat().st_size < 1_000_000
        FigureCanvasAgg(figure)
        for text in figure.findobj(Text):
            if text.get_text().strip() and text.get_visible():
                assert text.get_fontsize() >= LEAST_POINTS, (name, text.get_text())
        for legend in figure.legends:
            assert legend.get_window_extent().x1 <= figure.bbox.x1 + 1, name


def test_a_cohort_without_barcodes_is_drawn_as_sentences(data: QualityData) -> None:
    nothing = replace(
        data,
        qc={name: table.iloc[:0] for name, table in data.qc.items()},
        doublets={name: table.iloc[:0] for name, table in data.doublets.items()},
        lineages=data.lineages.iloc[:0],
        contamination=data.contamination.iloc[:0],
    )
    for figure in draw_figures(nothing, functions=drawing_functions("quality")).values():
        assert len(figure.texts) == 1
        assert not figure.axes
