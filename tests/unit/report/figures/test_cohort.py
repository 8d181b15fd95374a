"""Figures: what they show, for which samples, and sentences in place of missing data."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from scipy import sparse

from lammscope.abundance.counts import lamm_fractions
from lammscope.annotate.levels import definer_counts, definer_levels, levels_by_group, log_levels
from lammscope.cohort.comparison import Comparison
from lammscope.report.figures.catalog import drawing_functions, figure_names
from lammscope.report.figures.contrast import contrast_slots
from lammscope.report.figures.draw import draw_figures
from lammscope.report.figures.forest import abundance_forest
from lammscope.report.figures.fractions import lamm_contrast
from lammscope.report.figures.robustness_forest import robustness_forest
from lammscope.report.figures.style import population_colors, save_figure
from lammscope.report.figures.umap import umap_lamm
from lammscope.report.figures.volcano import volcano
from lammscope.report.order import (
    POPULATION_COLORS,
    drawing_order,
    order_rows,
    sample_groups,
    shown_cells,
)
from tests.unit.example_results import (
    BASELINE,
    CONTRASTS,
    PRE_TO_POST,
    Example,
    abundance_table,
    cohort_data,
    contrast_data,
    example,
    expression_table,
    robustness_table,
)


@pytest.fixture(scope="module")
def cohort() -> Example:
    return example()


def draw_cohort(cohort: Example, **changes: int) -> dict[str, Figure]:
    data = cohort_data(cohort, **changes)
    return draw_figures(data, functions=drawing_functions("cohort"))


def draw_contrast(cohort: Example, name: str, **changes: object) -> dict[str, Figure]:
    data = contrast_data(cohort, name, **changes)
    return draw_figures(data, functions=drawing_functions("contrast"))


def without_labels(cohort: Example) -> Example:
    missing = {"response": None, "response_label": None, "phase": None}
    return replace(cohort, samples=cohort.samples.assign(**missing))


def without_monocytes(cohort: Example) -> Example:
    kept = (cohort.cells["lineage"] != "monocytic").to_numpy()
    counts = cohort.counts
    counts = counts.assign(n_cells=counts["n_cells"].where(counts["lineage"] != "monocytic", 0))
    return replace(
        cohort,
        cells=cohort.cells[kept].reset_index(drop=True),
        umap=cohort.umap[kept],
        definers=cohort.definers[kept],
        counts=counts,
    )


def words_of(figure: Figure) -> str:
    artists = [*figure.texts, *(text for axis in figure.axes for text in axis.texts)]
    return "\n".join([*(artist.get_text() for artist in artists), *map(title_of, figure.axes)])


def title_of(axis: Axes) -> str:
    """Return the title, on the side where the style puts it."""
    return "".join(axis.get_title(loc=side) for side in ("left", "center"))


def points_of(figure: Figure) -> list[Any]:
    return [c for axis in figure.axes for c in axis.collections if isinstance(c, PathCollection)]


@pytest.mark.parametrize("change", [lambda c: c, without_labels, without_monocytes])
def test_every_cohort_figure_is_there_whatever_the_cohort_lacks(
    cohort: Example, change: Callable[..., Any], tmp_path: Path
) -> None:
    figures = draw_cohort(change(cohort))
    assert list(figures) == figure_names("cohort")
    for name, figure in figures.items():
        save_figure(figure, tmp_path / name, dpi=20)


def test_every_contrast_figure_is_there_even_without_results(
    cohort: Example, tmp_path: Path
) -> None:
    empty = {
        "abundance": abundance_table(cohort.counts, status="too_few_patients"),
        "robustness": robustness_table(status="too_few_patients"),
        "expression": expression_table().iloc[:0],
    }
    for name in CONTRASTS:
        for changes in ({}, empty):
            figures = draw_contrast(cohort, name, **changes)
            assert list(figures) == figure_names("contrast")
    assert "No population could be tested" in words_of(figures["abundance"])
    assert "LAMM cells could not be tested" in words_of(figures["robustness"])
    assert "No population had enough samples" in words_of(figures["volcano"])
    save_figure(figures["volcano"], tmp_path / "volcano", dpi=50)


def test_figures_of_a_cohort_without_monocytes_say_so(cohort: Example) -> None:
    figures = draw_cohort(without_monocytes(cohort))
    assert "No monocytic cells" in words_of(figures["umap_lamm"])
    assert "No monocytic cells" in words_of(figures["lamm_patients"])
    no_cells = without_monocytes(cohort)
    assert "No monocytic cells" in words_of(draw_contrast(no_cells, "baseline")["lamm"])


def test_rows_of_another_index_are_refused(cohort: Example) -> None:
    with pytest.raises(ValueError, match=r"umap has \d+ rows but cells has"):
        draw_cohort(replace(cohort, umap=cohort.umap[1:]))


def test_large_cohorts_are_thinned_with_the_given_generator(cohort: Example) -> None:
    first, again, other = (
        points_of(draw_cohort(cohort, max_points=100, seed=seed)["umap_sample"])[0].get_offsets()
        for seed in (1, 1, 2)
    )
    assert len(first) == 100
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_saved_files_are_identical_and_embed_fonts(cohort: Example, tmp_path: Path) -> None:
    saved = []
    for run in ("a", "b"):
        figure = draw_contrast(cohort, "baseline")["volcano"]
        saved.append([path.read_bytes() for path in save_figure(figure, tmp_path / run, dpi=60)])
    assert saved[0] == saved[1]
    png, pdf = saved[0]
    assert png.startswith(b"\x89PNG")
    assert b"/FontFile2" in pdf
    assert b"/CreationDate" not in pdf
    assert b"/Subtype /Image" in pdf  # the points


def test_points_are_rasterized(cohort: Example) -> None:
    figures = draw_cohort(cohort)
    for name in ("umap_cell_type", "umap_lamm", "umap_definers", "umap_sample"):
        assert all(points.get_rasterized() for points in points_of(figures[name]))


def test_start_up_does_not_import_pyplot_or_scanpy(repository: Path) -> None:
    code = (
        "import sys; from pkgutil import resolve_name; "
        "from lammscope.report.figures.catalog import CATALOG; "
        "[resolve_name(entry.draw) for entry in CATALOG]; "
        "print([m for m in ('matplotlib.pyplot', 'scanpy', 'plotly') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_a_population_keeps_its_color_in_every_figure() -> None:
    few, many = population_colors(["NK", "LAMM"]), population_colors(list(POPULATION_COLORS))
    assert few == {name: many[name] for name in ("LAMM", "NK")}
    assert len(set(POPULATION_COLORS.values())) == len(POPULATION_COLORS)
    assert list(population_colors(["Unheard_of", "LAMM"])) == ["LAMM", "Unheard_of"]


def test_samples_are_grouped_by_arm_and_phase(cohort: Example) -> None:
    groups = sample_groups(cohort.samples.sample(frac=1, random_state=1))
    assert groups["group"].drop_duplicates().tolist() == [
        "responder, pre", "responder, post", "non-responder, pre", "non-responder, post",
    ]  # fmt: skip
    unlabeled = sample_groups(without_labels(cohort).samples)
    assert set(unlabeled["group"]) == {"baseline", "d7"}


def test_lamm_fractions_are_of_their_denominator(cohort: Example) -> None:
    table = lamm_fractions(cohort.counts, level="macrophage_like")
    cells = cohort.cells[cohort.cells["sample"] == "P02_baseline"]
    monocytic = cells[cells["lineage"] == "monocytic"]
    called = (monocytic["lamm_macrophage_like"] > 0.9).sum()
    row = table.loc["P02_baseline"]
    assert row["of_monocytic"] == pytest.approx(called / len(monocytic))
    assert row["of_all"] == pytest.approx(called / len(cells))
    empty = lamm_fractions(without_monocytes(cohort).counts, level="macrophage_like")
    assert empty["of_monocytic"].isna().all()
    assert (empty["of_all"] == 0).all()


def test_between_contrast_shows_the_other_phase_as_untested(cohort: Example) -> None:
    slots = contrast_slots(Comparison(cohort.samples, BASELINE))
    assert len(slots) == len(cohort.samples)
    assert (slots["tested"] == (slots["phase"] == "pre")).all()


def test_paired_contrast_joins_what_shares_the_match(cohort: Example) -> None:
    slots = contrast_slots(Comparison(cohort.samples, PRE_TO_POST))
    assert set(slots["response"]) == {"non_responder"}
    assert (slots.groupby("unit")["slot"].apply(set) == {"pre", "post"}).all()
    assert slots.sort_values("rank")["slot"].iloc[0] == "pre"


def test_contrast_of_sorted_libraries_needs_no_response(cohort: Example) -> None:
    samples = without_labels(cohort).samples
    samples["sort"] = np.where(samples["timepoint"] == "d7", "NoSo", "CD3+CAT+")
    contrast = replace(
        PRE_TO_POST, column="sort", test="NoSo", reference="CD3+CAT+", where={}, match=("batch",)
    )
    samples["batch"] = samples["patient"]
    slots = contrast_slots(Comparison(samples, contrast))
    assert slots["unit"].nunique() == 8
    figure = lamm_contrast(contrast_data(cohort, comparison=Comparison(samples, contrast)))
    assert len(figure.axes[0].lines) == 8 + 2  # pairs and medians


def test_forest_puts_lamm_first_and_names_what_was_not_tested(cohort: Example) -> None:
    table = abundance_table(cohort.counts)
    untested = (table["population"] == "pDC") & (table["denominator"] == "all")
    table.loc[untested, ["estimate", "ci_low", "ci_high", "p"]] = np.nan
    table.loc[untested, "status"] = "too_few_patients"
    ordered = order_rows(table[table["scale"] == "logit"])
    assert ordered.groupby("denominator", sort=False)["population"].first()["all"] == "LAMM"
    assert ordered["denominator"].iloc[0] == "monocytic"
    words = words_of(abundance_forest(contrast_data(cohort, abundance=table)))
    assert words.count("not testable: too few patients") == 1
    assert "LAMM (positive)" in words
    assert "LAMM (macrophage-like)" not in words  # it is the row LAMM


def test_volcano_names_significant_genes_only_and_lamm_comes_first(cohort: Example) -> None:
    table = expression_table()
    figure = volcano(contrast_data(cohort, expression=table, n_labels=5))
    assert title_of(figure.axes[0]) == "LAMM"
    lamm = table[(table["cell_type"] == "LAMM") & (table["fdr"] <= 0.05)]
    named = {text.get_text() for text in figure.axes[0].texts} - {""}
    named = {name for name in named if " up, " not in name}
    assert named
    assert named <= set(lamm["symbol"])
    assert "Platelet" not in words_of(figure)


def test_volcano_draws_genes_of_ambient_rna_hollow_and_without_a_name(cohort: Example) -> None:
    table = expression_table()
    figure = volcano(contrast_data(cohort, expression=table, n_labels=20))
    named = {text.get_text() for text in figure.axes[0].texts} & set(table["symbol"])
    chosen = sorted(named)[:2]
    soup = (table["cell_type"] == "LAMM") & table["symbol"].isin(chosen)
    assert soup.sum() == 2
    table.loc[soup, "ambient"] = True
    table.loc[soup, "fdr"] = np.nan
    figure = volcano(contrast_data(cohort, expression=table, n_labels=20))
    assert not set(chosen) & {text.get_text() for text in figure.axes[0].texts}
    drawn: list[Any] = list(figure.axes[0].collections)
    hollow = [points for points in drawn if not len(points.get_facecolors())]
    assert len(hollow) == 1
    genes = table[soup]
    heights = -np.log10(genes["p"].to_numpy(dtype=float))
    np.testing.assert_allclose(hollow[0].get_offsets(), np.c_[genes["log2fc"], heights])


def test_lamm_umap_draws_likely_cells_last(cohort: Example) -> None:
    points = cohort.cells.reset_index(drop=True)
    figure = umap_lamm(replace(cohort_data(cohort), order=np.arange(len(points))))
    values = np.asarray(points_of(figure)[1].get_array())
    assert (np.diff(values) >= 0).all()
    assert len(values) == (points["lineage"] == "monocytic").sum()


def test_definer_levels_by_hand() -> None:
    genes = pd.DataFrame({"symbol": ["CD14", "LYZ", "CSF1R"]})
    panels = [
        (sparse.csr_array(np.array([[2, 9, 0], [0, 9, 0]])), genes),
        (sparse.csr_array(np.array([[1, 0, 4]])), genes),
    ]
    counts: Any = definer_counts(panels, definers=["CSF1R", "CD14", "MISSING"])
    assert counts.to_dict("list") == {"CSF1R": [0, 0, 4], "CD14": [2, 0, 1]}
    totals = [1000, 1000, 2000]
    assert log_levels(counts, total_counts=totals)["CD14"].iloc[0] == pytest.approx(np.log1p(20))
    table = levels_by_group(
        sparse.csr_array(counts.to_numpy()),
        totals=totals,
        groups=["T", "T", "LAMM"],
        genes=list(counts),
    )
    row = table.set_index(["group", "gene"]).loc[("T", "CD14")]
    assert row["per_10k"] == pytest.approx(10)
    assert row["pct_detected"] == pytest.approx(50)
    assert row["n_cells"] == 2


def test_definer_levels_are_of_single_cells_and_of_cells_with_their_neighbors() -> None:
    counts = sparse.csr_array(np.array([[2, 9], [0, 9], [4, 0]]))
    single, pooled = definer_levels(
        counts,
        pd.DataFrame({"symbol": ["CD14", "LYZ"]}),
        definers=["CSF1R", "CD14"],
        totals=[1000, 1000, 2000],
        neighbors=np.array([[1], [-1], [0]]),
    )
    assert list(single) == list(pooled) == ["CD14"]
    assert np.expm1(single["CD14"]).tolist() == pytest.approx([20, 0, 20])
    assert np.expm1(pooled["CD14"]).tolist() == pytest.approx([10, 0, 20])


def test_umaps_show_all_cells_or_a_random_choice_in_random_order() -> None:
    def rng() -> np.random.Generator:
        return np.random.default_rng(1)

    assert shown_cells(5, max_points=5, rng=rng()).tolist() == [0, 1, 2, 3, 4]
    few = drawing_order(50, max_points=20, rng=rng())
    assert len(set(few)) == 20
    assert set(few) == set(shown_cells(50, max_points=20, rng=rng()))
    every = drawing_order(50, max_points=50, rng=rng())
    assert sorted(every) == list(range(50))
    assert sorted(every) != list(every)


def test_figures_are_written_where_asked(cohort: Example, tmp_path: Path) -> None:
    paths = save_figure(
        draw_contrast(cohort, "change")["lamm"], tmp_path / "new" / "lamm.v1", dpi=50
    )
    assert paths == [tmp_path / "new" / "lamm.v1.png", tmp_path / "new" / "lamm.v1.pdf"]
    assert all(Path(path).stat().st_size > 0 for path in paths)


def test_robustness_of_many_patients_shows_those_that_matter_most(cohort: Example) -> None:
    table = robustness_table(n_patients=40)
    figure = robustness_forest(contrast_data(cohort, robustness=table))
    words = words_of(figure)
    assert "Without one patient (30 more lie between)" in words
    left = table[table["analysis"] == "leave_one_out"].sort_values("log_odds")["setting"]
    assert f"without {left.iloc[0]}" in words
    assert f"without {left.iloc[-1]}" in words
    assert f"without {left.iloc[20]}" not in words
    assert "uncertain cells count as LAMM" in words
    assert "probability of 0.5 or more" in words
    few = words_of(robustness_forest(contrast_data(cohort)))
    assert all(f"without P{i:02d}" in few for i in range(1, 9))
