"""The catalog of figures: unique names, data of the group, a place in the docs and the report."""

import inspect
import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

from lammscope.outcome.survival import Survival
from lammscope.report.figures.associations import AssociationData
from lammscope.report.figures.axis import AxisData
from lammscope.report.figures.catalog import (
    CATALOG,
    drawing_functions,
    figure_names,
    find_figure,
    placed_figures,
)
from lammscope.report.figures.cohort import CohortData
from lammscope.report.figures.cohorts import ReplicationData
from lammscope.report.figures.contrast import ContrastData
from lammscope.report.figures.entry import FigureEntry
from lammscope.report.figures.evidence import EvidenceData
from lammscope.report.figures.gene_levels import GeneLevelData
from lammscope.report.figures.multiverse import MultiverseData
from lammscope.report.figures.neighborhoods import NeighborhoodData
from lammscope.report.figures.quality import QualityData
from lammscope.report.rendering import TEMPLATES

GROUPS = {
    "quality": QualityData,
    "cohort": CohortData,
    "evidence": EvidenceData,
    "contrast": ContrastData,
    "expression": GeneLevelData,
    "neighborhoods": NeighborhoodData,
    "axis": AxisData,
    "associations": AssociationData,
    "survival": Survival,
    "multiverse": MultiverseData,
    "replication": ReplicationData,
}
OF_COHORT = (
    "quality",
    "cohort",
    "evidence",
    "associations",
    "survival",
    "multiverse",
    "replication",
)
BY_NAME = pytest.mark.parametrize("entry", CATALOG, ids=lambda entry: entry.name)


@BY_NAME
def test_a_figure_is_drawn_from_the_data_of_its_group_alone(entry: FigureEntry) -> None:
    signature = inspect.signature(resolve_name(entry.draw))
    (parameter,) = signature.parameters.values()
    assert parameter.annotation is GROUPS[entry.group]


@BY_NAME
def test_a_figure_is_named_in_the_list_of_files(entry: FigureEntry, repository: Path) -> None:
    listed = (repository / "docs" / "files.md").read_text(encoding="utf-8")
    assert f"`{entry.name}`" in listed


@BY_NAME
def test_the_page_has_the_section_of_a_figure(entry: FigureEntry, repository: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.jinja"))
    owners = re.findall(rf"plates\(([^()]+), '{entry.section}'\)", text)
    of_cohort = entry.group in OF_COHORT
    assert owners
    assert {owner == "'cohort'" for owner in owners} == {of_cohort}


@BY_NAME
def test_every_figure_has_words(entry: FigureEntry) -> None:
    assert entry.title
    assert entry.caption.endswith(".")
    assert entry.alternative.endswith(".")


def test_no_two_figures_share_a_name() -> None:
    names = figure_names(*GROUPS)
    assert len(set(names)) == len(names) == len(CATALOG)
    assert find_figure("volcano").title == "Differential expression"


def test_figures_are_found_by_group_and_by_section_in_their_order() -> None:
    assert list(drawing_functions("evidence")) == figure_names("evidence")
    assert figure_names("evidence") == ["marker_dots", "lamm_calls", "states"]
    assert placed_figures("quality")[:3] == ["qc_barcodes", "qc_metrics", "qc_knee"]
    assert placed_figures("quality")[2:] == figure_names("quality")
