"""The integrated embedding in the report."""

import pytest

from lammscope.joint.integration import METHODS
from lammscope.joint.integration.method import COMPONENTS, Method
from lammscope.report.sections.joint import joint_section
from tests.unit.report.test_page import CONFIG, joint_tables


def test_the_report_calls_a_method_as_the_registry_does(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = Method(
        lambda cells, **_: cells.values,
        words="the stretched space",
        reads=COMPONENTS,
        memory=(100, 1),
        package="numpy",
        missing="",
    )
    monkeypatch.setitem(METHODS, "stretch", made_up)
    tables = joint_tables()
    scores = tables["integration_scores"].replace({"method": {"harmony": "stretch"}})
    section = joint_section(
        scores,
        lost=tables["lost_populations"],
        lamm=tables["lamm_kept"],
        stability=tables["stability"],
        config=CONFIG,
    )
    assert "the stretched space" in section["lines"][0]
    spaces = [row[0].text for row in section["scores"].rows]
    assert spaces == ["no correction", "the stretched space"]
