"""Settings of LAMM calls: made from the config, checked, and their reference levels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lammscope.annotate.lamm_settings import CallSettings, background_levels, load_references
from tests.unit.annotate.test_lamm import REFERENCES, SETTINGS, STATE
from tests.unit.real_cohorts import DEFINERS, STATE_GENES


@pytest.fixture(scope="module")
def references() -> pd.DataFrame:
    return load_references(REFERENCES)


def test_settings_are_those_of_the_config(references: pd.DataFrame) -> None:
    settings = CallSettings.from_config(SETTINGS, references=references, state=STATE)
    plain = {name: value for name, value in SETTINGS.items() if name not in ("definers", "vetoes")}
    assert {name: getattr(settings, name) for name in plain} == plain
    assert list(settings.definers) == SETTINGS["definers"]
    vetoes = {
        veto.name: {"genes": list(veto.genes), "per_10k": veto.per_10k, "scope": veto.scope}
        for veto in settings.vetoes
    }
    assert list(vetoes.items()) == list(SETTINGS["vetoes"].items())  # in order
    assert settings.references is references
    assert settings.state is STATE


def test_the_genes_are_the_definers_first_and_each_once(references: pd.DataFrame) -> None:
    veto = {"genes": ["CD14", "PF4"], "per_10k": 1, "scope": "cell"}
    section = {**SETTINGS, "vetoes": {"one": veto, "two": {**veto, "genes": ["PF4", "CD3D"]}}}
    settings = CallSettings.from_config(section, references=references, state=STATE)
    assert settings.genes == [*DEFINERS, "PF4", "CD3D"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"level": "elevated"}, "lamm.level is 'elevated'; give positive or macrophage_like"),
        ({"probability": 0.4}, "lamm.probability is 0.4"),
        ({"definers": []}, "lamm.definers is empty"),
        ({"vetoes": {"x": {"genes": ["PF4"], "per_10k": 1, "scope": "all"}}}, "lamm.vetoes.x"),
    ],
)
def test_wrong_settings_are_refused_with_a_remedy(
    references: pd.DataFrame, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        CallSettings.from_config({**SETTINGS, **changes}, references=references, state=STATE)


def test_settings_are_read_from_the_files_that_the_config_names() -> None:
    settings = CallSettings.read(SETTINGS, references=REFERENCES, state_genes=STATE_GENES)
    pd.testing.assert_frame_equal(settings.references, load_references(REFERENCES))
    assert settings.state.symbols == STATE.symbols


def test_the_background_is_the_level_in_non_myeloid_cells(references: pd.DataFrame) -> None:
    rows = references["population"] == "non_myeloid"
    known: Any = references[rows].set_index("gene")["rate_per_10k"]
    found = background_levels(references, ["CD68", "CSF1R"])
    assert found.tolist() == [known["CD68"], known["CSF1R"]]
    double = references[rows].assign(rate_per_10k=7.0, high=8.0)
    twice = background_levels(pd.concat([references, double]), ["CD14"])
    assert twice.tolist() == [7.0]  # the highest of several rows
    with pytest.raises(ValueError, match="no level of CD1C in non_myeloid; add a row"):
        background_levels(references, ["CD14", "CD1C"])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda table: table.drop(columns="source"), "column source is missing"),
        (lambda table: table.assign(high=0.001), r"row 2 \(non_myeloid, CSF1R\)"),
        (lambda table: table.assign(rate_per_10k="x"), "row 2"),
    ],
)
def test_a_wrong_reference_table_is_refused(
    tmp_path: Path, references: pd.DataFrame, edit: Callable[..., Any], message: str
) -> None:
    path = tmp_path / "levels.tsv"
    edit(references).to_csv(path, sep="\t", index=False)
    with pytest.raises(ValueError, match=message):
        load_references(path)
