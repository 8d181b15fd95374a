"""Settings of LAMM calls: made from the config, checked, and their reference levels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lammscope.annotate.lamm_settings import CallSettings, load_references, reference_levels
from tests.unit.annotate.test_lamm import REFERENCES, SETTINGS
from tests.unit.real_cohorts import DEFINERS


@pytest.fixture(scope="module")
def references() -> pd.DataFrame:
    return load_references(REFERENCES)


def test_settings_are_those_of_the_config(references: pd.DataFrame) -> None:
    settings = CallSettings.from_config(SETTINGS, references=references)
    plain = {name: value for name, value in SETTINGS.items() if name not in ("definers", "vetoes")}
    assert {name: getattr(settings, name) for name in plain} == plain
    assert list(settings.definers) == SETTINGS["definers"]
    vetoes = {
        veto.name: {"genes": list(veto.genes), "per_10k": veto.per_10k, "scope": veto.scope}
        for veto in settings.vetoes
    }
    assert list(vetoes.items()) == list(SETTINGS["vetoes"].items())  # in order
    assert settings.references is references


def test_the_genes_are_the_definers_first_and_each_once(references: pd.DataFrame) -> None:
    veto = {"genes": ["CD14", "PF4"], "per_10k": 1, "scope": "cell"}
    section = {**SETTINGS, "vetoes": {"one": veto, "two": {**veto, "genes": ["PF4", "CD3D"]}}}
    settings = CallSettings.from_config(section, references=references)
    assert settings.genes == [*DEFINERS, "PF4", "CD3D"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"level": "high"}, "lamm.level is 'high'; give positive or elevated"),
        ({"probability": 0.4}, "lamm.probability is 0.4"),
        ({"definers": []}, "lamm.definers is empty"),
        ({"vetoes": {"x": {"genes": ["PF4"], "per_10k": 1, "scope": "all"}}}, "lamm.vetoes.x"),
    ],
)
def test_wrong_settings_are_refused_with_a_remedy(
    references: pd.DataFrame, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        CallSettings.from_config({**SETTINGS, **changes}, references=references)


def test_the_first_definer_is_held_against_the_highest_ordinary_library(
    references: pd.DataFrame,
) -> None:
    levels = reference_levels(references, DEFINERS)
    assert levels.loc["CSF1R", "elevated"] == levels.loc["CSF1R", "upper"]
    for gene in ("CD14", "CD68"):
        assert levels.loc[gene, "elevated"] == levels.loc[gene, "typical"]
    assert (levels["background"] < levels["typical"] / 20).all()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda table: table.drop(columns="source"), "column source is missing"),
        (lambda table: table.assign(high=0.001), r"row 2 \(Classical_monocyte, CSF1R\)"),
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
