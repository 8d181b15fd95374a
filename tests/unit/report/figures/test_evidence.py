"""Figures of the evidence: what they show, and sentences in place of missing data."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from lammscope.annotate.evidence import count_calls
from lammscope.annotate.panel import load_panel
from lammscope.report.figures.catalog import drawing_functions, figure_names
from lammscope.report.figures.draw import draw_figures
from lammscope.report.figures.evidence import EvidenceData
from tests.unit.example_results import example
from tests.unit.real_cohorts import DEFINERS, PANEL

GENES = [*DEFINERS, "S100A8", "CD3D", "CD4", "CD40LG", "C1QA", "LYZ"]


@pytest.fixture(scope="module")
def arguments() -> dict[str, Any]:
    cohort = example()
    cells = cohort.cells.reset_index(drop=True).assign(lamm_own_patient=0.8)
    clusters = pd.DataFrame(
        {
            "cluster": ["0", "1", "2"],
            "cell_type": ["CD4_T", "Classical_monocyte", "unassigned"],
            "n_cells": [30, 20, 4],
        }
    )
    genes = pd.MultiIndex.from_product([clusters["cluster"], GENES]).to_frame(index=False)
    genes = genes.set_axis(["cluster", "gene"], axis=1).assign(per_10k=2.0, pct_detected=40.0)
    states = pd.DataFrame(
        {
            "population": ["LAMM", "LAMM", "Macrophage", "Macrophage"],
            "state": ["LA_TAM", "M_MDSC_proxy"] * 2,
            "mean": [0.5, -0.01, 1.5, -2.0],
            "n_cells": [40, 40, 12, 12],
        }
    )
    calls = count_calls(cells, samples=cohort.samples["sample"], reasons=["dc3"], probability=0.9)
    return {
        "clusters": clusters,
        "cluster_genes": genes,
        "panel": load_panel(PANEL),
        "definers": DEFINERS,
        "cells": cells,
        "calls": calls,
        "states": states,
        "samples": cohort.samples,
        "min_cells": 5,
    }


def draw_evidence(arguments: dict[str, Any]) -> dict[str, Figure]:
    return draw_figures(EvidenceData(**arguments), functions=drawing_functions("evidence"))


def words_of(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_every_figure_is_there(arguments: dict[str, Any]) -> None:
    assert list(draw_evidence(arguments)) == figure_names("evidence")


def test_dots_are_as_large_as_the_share_of_cells_and_as_dark_as_the_level(
    arguments: dict[str, Any],
) -> None:
    genes = arguments["cluster_genes"].copy()
    high = (genes["cluster"] == "1") & (genes["gene"] == "CD14")
    genes.loc[high, ["per_10k", "pct_detected"]] = [90.0, 80.0]
    figure = draw_evidence(arguments | {"cluster_genes": genes})["marker_dots"]
    axis = figure.axes[0]
    (dots,) = (item for item in axis.collections if isinstance(item, PathCollection))
    names = [label.get_text() for label in axis.get_xticklabels()]
    assert names[:3] == DEFINERS
    rows = [label.get_text() for label in axis.get_yticklabels()]
    assert rows == ["1  Classical monocyte  (20)", "0  CD4 T  (30)", "2  unassigned  (4)"]
    place = names.index("CD14")  # of the first row
    assert dots.get_sizes()[place] == pytest.approx(2 * dots.get_sizes()[0])
    assert dots.get_array()[place] == 1
    assert "CD3D" not in names  # markers of the type, not of its branch


def test_calls_fill_the_bars_and_exclusion_criteria_are_named(arguments: dict[str, Any]) -> None:
    cells = arguments["cells"].copy()
    first = cells.index[cells["lineage"] == "monocytic"][0]
    cells.loc[first, "lamm_veto"] = "dc3"
    calls = count_calls(
        cells, samples=arguments["samples"]["sample"], reasons=["dc3"], probability=0.9
    )
    figure: Any = draw_evidence(arguments | {"cells": cells, "calls": calls})["lamm_calls"]
    for axis in figure.axes[:2]:
        tops: dict[float, float] = {}
        for bar in axis.patches:
            tops[bar.get_x()] = max(tops.get(bar.get_x(), 0), bar.get_y() + bar.get_height())
        assert set(np.round(list(tops.values()), 6)) <= {0.0, 1.0}
    assert "dc3" in words_of(figure)


def test_the_map_of_programs_has_a_row_each_and_no_minus_nought(arguments: dict[str, Any]) -> None:
    words = words_of(draw_evidence(arguments)["states"])
    assert {"LA TAM", "M MDSC proxy", "LAMM (40)", "Macrophage (12)"} <= set(words)
    assert "0.0" in words
    assert "\N{MINUS SIGN}0.0" not in words
    assert "\N{MINUS SIGN}2.0" in words


def test_without_monocytic_cells_it_is_said_in_words(arguments: dict[str, Any]) -> None:
    cells = arguments["cells"].query("lineage != 'monocytic'")
    changed = arguments | {"cells": cells, "states": arguments["states"].iloc[:0]}
    figures = draw_evidence(changed)
    assert "No monocytic cells in this cohort" in words_of(figures["lamm_calls"])[0]
    assert "No myeloid cells in this cohort" in words_of(figures["states"])[0]
