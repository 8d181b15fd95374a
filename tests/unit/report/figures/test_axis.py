"""Figures of LAMM cells and T cells: what they draw, and what they say if there is nothing."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.text import Text
from scipy.stats import pearsonr, spearmanr

from lammscope.cohort.contrasts import Contrast
from lammscope.report.figures.associations import (
    AssociationData,
    adjusted_ranks,
    association_scatter,
    lamm_words,
)
from lammscope.report.figures.axis import PALE, AxisData, wired_rows, wiring
from lammscope.report.figures.axis_levels import pair_levels, shown_pairs
from lammscope.report.figures.axis_patients import pair_patients, patient_points
from lammscope.report.figures.catalog import drawing_functions, figure_names
from lammscope.report.figures.draw import draw_figures
from lammscope.report.figures.style import ARM_COLORS
from lammscope.report.figures.t_states import measure_words, state_forest
from tests.unit.abundance.test_trends import NUMBER, ORDER, ORDERED, cohort
from tests.unit.example_cohorts import asked
from tests.unit.example_pairs import (
    PRIMARY,
    association_tables,
    axis_data,
    state_table,
    term_tables,
)
from tests.unit.example_results import BASELINE, CHANGE, CONTRASTS

NEVER = re.compile(
    r"interaction strength|\bdriv(es|en|ing)\b|communicat|crosstalk|cross-talk", re.I
)


def texts(figure: Figure) -> str:
    found = [each.get_text() for each in figure.findobj(Text) if isinstance(each, Text)]
    return "\n".join(found)


@pytest.fixture(scope="module")
def baseline() -> AxisData:
    return axis_data(BASELINE)


@pytest.mark.parametrize("contrast", CONTRASTS.values(), ids=lambda contrast: contrast.name)
def test_all_figures_of_a_contrast_are_drawn_in_careful_words(contrast: Contrast) -> None:
    data = replace(axis_data(contrast), states=state_table())
    figures = draw_figures(data, functions=drawing_functions("axis"))
    assert list(figures) == figure_names("axis")
    for figure in figures.values():
        figure.canvas.draw()
        assert not NEVER.search(texts(figure))
        assert "nan" not in texts(figure)


def test_lines_are_solid_if_supported_and_gray_where_a_term_does_not_differ(
    baseline: AxisData,
) -> None:
    figure = wiring(baseline)
    lines = wired_rows(baseline, baseline.tested[baseline.tested["verdict"] != "inconclusive"])
    patches = [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]
    assert len(patches) == 2 * len(lines)
    solid = [patch.get_linestyle() == "solid" for patch in patches]
    assert sum(solid) == 2 * (lines["verdict"] == "supported").sum()
    colors = [to_hex(patch.get_edgecolor()) for patch in patches]
    one_term = (lines["pair"] == "PDL1_PD1").sum()
    assert colors.count(PALE) == one_term > 0
    assert set(colors) == {PALE, ARM_COLORS["non_responder"]}
    assert "supported" in texts(figure)
    assert "higher in non-responder" in texts(figure)


def test_overlapping_groups_of_myeloid_cells_have_one_line(baseline: AxisData) -> None:
    lines = wired_rows(baseline, baseline.tested)
    assert not lines.duplicated(["pair", "sender", "receiver"]).any()
    myeloid = lines[["sender", "receiver"]].isin(["LAMM_macrophage_like", "monocytic"])
    assert (myeloid.sum(axis=1) == 1).all()
    assert not lines[["sender", "receiver"]].isin(["monocytic"]).any(axis=None)
    assert len(lines) < len(baseline.tested)


def test_a_figure_of_pairs_without_a_difference_is_a_sentence() -> None:
    data = axis_data(BASELINE, higher=1.0)
    assert "none is supported or suggestive" in texts(wiring(data))
    few = axis_data(BASELINE, n_patients=2)
    assert "could be tested in the contrast baseline" in texts(wiring(few))
    assert "could not be tested" in texts(pair_patients(few))
    empty = replace(few, table=few.table.head(0), values=few.values.head(0))
    for draw in (wiring, pair_levels, pair_patients):
        assert len(draw(empty).axes) == 0


def test_rows_of_the_dot_plot_are_tested_pairs_and_pge2_by_kind(baseline: AxisData) -> None:
    rows = shown_pairs(baseline)
    assert rows["pair"].tolist() == ["PGE2", "PGE2_cyclooxygenase", "PDL1_PD1", "IFNG_IFNGR"]
    assert rows["title"].tolist()[1:] == ["lipid", "checkpoint", "secreted, to myeloid cells"]
    untested = shown_pairs(axis_data(BASELINE, without=["PTGES", "PDCD1"]))
    assert untested["pair"].tolist() == ["PGE2", "PGE2_cyclooxygenase", "IFNG_IFNGR"]
    assert untested["tested"].tolist() == [False, True, True]


def test_dots_are_as_large_as_the_share_of_patients_with_a_umi() -> None:
    data = axis_data(BASELINE, without=["PTGES"])
    axes = pair_levels(data).axes[:2]
    drawn: list[Any] = [axis.collections[0] for axis in axes]
    sizes = [np.asarray(dots.get_sizes()) for dots in drawn]
    assert all((size > 0).all() for size in sizes)
    none = axes[0].lines[0]  # PTGES has no UMI in two groups and two arms
    assert len(np.asarray(none.get_xdata())) == 4


@pytest.mark.parametrize(
    ("contrast", "slots"),
    [
        (BASELINE, {0: "responder", 1: "non-responder"}),
        (CONTRASTS["pre_to_post"], {0: "pre", 1: "post"}),
        (CHANGE, {0: "responder\npre", 1: "responder\npost", 2: "non-responder\npre",
                  3: "non-responder\npost"}),
    ],
    ids=["between", "paired", "change"],
)  # fmt: skip
def test_patients_stand_with_their_arm_and_side(contrast: Contrast, slots: dict[int, str]) -> None:
    data = axis_data(contrast)
    points = patient_points(data, PRIMARY)
    assert dict(zip(points["x"].astype(int), points["slot"], strict=True)) == slots
    n_sides = 2 if contrast.has_sides else 1
    assert points["unit"].value_counts().eq(n_sides).all()
    axes = pair_patients(data).axes
    assert len(axes) == 3
    drawn = np.asarray(axes[0].collections[0].get_offsets())[:, 1]
    assert drawn == pytest.approx(2 ** points["sender_level"].to_numpy() / 100)


@pytest.mark.parametrize("entry", [ORDERED, NUMBER], ids=["order", "numbers"])
def test_patients_of_a_trend_stand_at_their_value(entry: dict[str, Any]) -> None:
    samples = cohort()
    contrast = asked(entry, samples)
    data = axis_data(contrast, samples=samples)
    points = patient_points(data, PRIMARY)
    used = data.comparison.used.set_index("patient")[contrast.column]
    expected = points["patient"].map(used)
    if contrast.is_scattered:
        assert points["x"].tolist() == expected.astype(float).tolist()
    else:
        assert [ORDER[int(x)] for x in points["x"]] == expected.tolist()
    figures = draw_figures(data, functions=drawing_functions("axis"))
    assert "per" in texts(figures["pair_patients"])


def test_the_cyclooxygenases_are_drawn_if_the_synthase_is_missing() -> None:
    words = texts(pair_patients(axis_data(BASELINE, without=["PTGES"])))
    assert words.count("Cyclooxygenase alone") == 1
    assert "PGE2, LAMM (macrophage-like) to CD8, could not be tested: no UMI of PTGES" in words


def test_states_are_drawn_by_population_with_the_car_t_share_first(baseline: AxisData) -> None:
    figure = state_forest(replace(baseline, states=state_table()))
    means, fractions = figure.axes
    words = texts(figure)
    assert "NK-like dysfunction" in words
    assert "T memory" not in words  # of CD4 T cells, which are in the table alone
    assert words.index("CAR-T cells among T cells") < words.index("Fraction of cells, all T cells")
    assert "difference of the mean score" in means.get_xlabel()
    assert "odds ratio" in fractions.get_xlabel()
    figure.canvas.draw()
    labels = [label.get_text() for label in means.get_xticklabels()]
    assert "0.00" in labels
    assert "1" not in labels


@pytest.mark.parametrize("states", [pd.DataFrame(), state_table(status="no_cells")])
def test_states_that_were_not_tested_are_a_sentence(
    baseline: AxisData, states: pd.DataFrame
) -> None:
    figure = state_forest(replace(baseline, states=states))
    assert "could not be tested" in texts(figure)
    assert len(figure.axes) == 0


def test_names_of_measures_are_readable() -> None:
    assert measure_words("PGE2_response_T_proxy") == "PGE2 response (proxy)"
    assert measure_words("T_exhaustion_terminal") == "exhaustion terminal"
    assert measure_words("clonality") == "clonality"


def test_associations_name_patients_and_count_the_tests() -> None:
    words = texts(association_scatter(AssociationData(*association_tables())))
    assert "The 1 smallest p of 1 correlations" in words
    assert "rho 0.80 (0.20 to 0.96), n = 8" in words
    assert words.count("P01") == 1
    assert "both before infusion; blood" in words


def test_points_correlate_as_ranks_of_one_arm_without_depth() -> None:
    """Without covariates, the points have Spearman's rho, by scipy."""
    _, patients = association_tables(12)
    own = patients[patients["t_measure"] == "T_memory"]
    own = own.assign(arm="responder", lamm_log_umis=1.0, t_log_umis=1.0)
    expected = spearmanr(own["lamm_value"], own["t_value"]).statistic
    assert pearsonr(*adjusted_ranks(own)).statistic == pytest.approx(expected)


def test_points_are_adjusted_as_a_partial_correlation() -> None:
    """With covariates, by the inverse of the correlation matrix of the ranks."""
    _, patients = association_tables(30)
    own = patients[patients["t_measure"] == "T_memory"]
    columns = ["lamm_value", "t_value", "lamm_log_umis", "t_log_umis"]
    ranks = own[columns].rank().assign(arm=(own["arm"] == "responder").astype(float))
    inverse = np.linalg.inv(np.corrcoef(ranks.to_numpy().T))
    expected = -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
    assert pearsonr(*adjusted_ranks(own)).statistic == pytest.approx(expected)


def test_no_association_is_a_sentence() -> None:
    rows, patients = association_tables()
    assert "No LAMM cells and T cells" in texts(association_scatter(AssociationData()))
    untested = AssociationData(rows[rows["p"].isna()], patients)
    assert "too few patients" in texts(association_scatter(untested))


def test_a_gene_that_no_matrix_has_leaves_its_level_out(baseline: AxisData) -> None:
    _, terms = term_tables(baseline.comparison.samples)
    terms = terms[terms["gene"] != "PTGES"]
    levels = replace(baseline.levels, terms=terms)
    figure = pair_levels(replace(baseline, levels=levels))
    assert figure.axes[0].collections


def test_the_supply_of_a_ligand_is_named_with_its_senders() -> None:
    assert lamm_words("PGE2_supply of LAMM_positive") == "supply, PGE2, by\nLAMM (positive)"
    assert lamm_words("LAMM_score") == "mean LAMM score"
