"""What a second cohort takes from a definition, and what it may not change."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lammscope.cohort.checks import Intake, check_run
from lammscope.cohort.config import ConfigLines, resolve_config
from lammscope.cohort.definition import definition_mistakes, take_definition, unit_of
from lammscope.cohort.definition_file import definition_text, read_definition
from tests.definitions import baseline, definition_content, write_definition
from tests.unit.example_cohorts import ARMS, BASELINE

CHANGED = {
    "lamm": ({"probability": 0.8}, "`lamm.probability` is 0.8, but 0.9 in"),
    "primary": ({"denominator": "all"}, "`primary.denominator` is all, but immune in"),
    "abundance": ({"exclude_pre_post": ["B"]}, "`abundance.exclude_pre_post` is [B], but"),
    "annotation": ({"min_score": 0.3}, "`annotation.min_score` is 0.3, but 0.25 in"),
    "qc": ({"max_pct_mt": 20}, "`qc.max_pct_mt` is 20, but 15 in"),
    "car": ({"probability": 0.95}, "`car.probability` is 0.95, but 0.9 in"),
    "response": ({"responder": ["CR"], "non_responder": ["PR", "SD", "PD"]}, "`response.resp"),
    "timepoints": ({"pre": ["day_7"], "post": ["baseline"]}, "`timepoints.pre` is [day_7], but"),
    "contrasts": (
        {"baseline": {**BASELINE, "adjust": ["product"]}},
        "`contrasts.baseline.adjust` is [product], but not set in",
    ),
}


@pytest.fixture
def second(relative_cohort: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A valid cohort, and a definition beside it that fits."""
    monkeypatch.chdir(relative_cohort)
    write_definition(Path("first/definition.yaml"), config=settings())
    return relative_cohort


def settings(**changes: Any) -> dict[str, Any]:
    """The config of the cohort, without what a definition freezes."""
    return {"samples": "samples.tsv", "patients": "patients.tsv",
            "timepoints": {"pre": ["baseline"], "post": ["day_7"]}, **changes}  # fmt: skip


def run(**changes: Any) -> Intake:
    return check_run(settings(definition="first/definition.yaml", **changes))


def refused(**changes: Any) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is returned
        run(**changes)
    return str(caught.value)


def test_a_second_cohort_takes_the_frozen_settings(second: Path) -> None:
    frozen = {"probability": 0.8, "definers": ["CSF1R", "CD68"]}
    write_definition(Path("first/definition.yaml"), config=settings(lamm=frozen))
    intake = run(lamm={"fold": 2})
    assert {key: intake.config["lamm"][key] for key in frozen} == frozen
    assert [contrast.name for contrast in intake.contrasts] == ["baseline"]
    assert intake.definition is not None
    assert any("this run replicates its primary comparison" in note for note in intake.notes)


def test_a_definition_sets_no_key_that_is_not_frozen(tmp_path: Path) -> None:
    content = definition_content()
    content["settings"]["annotation"]["celltypist_trusted"] = True
    content["settings"]["pathvars"] = {"results": "elsewhere"}
    path = tmp_path / "definition.yaml"
    path.write_text(definition_text(content), encoding="utf-8")
    config, definition, mistakes = take_definition({"definition": str(path)})
    assert definition is not None
    assert mistakes == []
    assert "celltypist_trusted" not in config["annotation"]
    assert "pathvars" not in config


def test_own_contrasts_stand_beside_the_frozen_one(second: Path) -> None:
    later = {**ARMS, "where": {"phase": "post"}}
    names = {contrast.name for contrast in run(contrasts={"later": later}).contrasts}
    assert names == {"baseline", "later"}


@pytest.mark.parametrize("section", CHANGED)
def test_another_value_of_a_frozen_key_is_refused(section: str, second: Path) -> None:
    changes, message = CHANGED[section]
    text = refused(**{section: changes})
    assert message in text
    assert "first/definition.yaml" in text


def test_all_differences_are_told_together_with_their_lines(second: Path) -> None:
    changes = {"lamm": {"probability": 0.8}, "qc": {"min_genes": 300}}
    Path("config.yaml").write_text(
        yaml.safe_dump(settings(definition="first/definition.yaml", **changes), sort_keys=False)
    )
    config = yaml.safe_load(Path("config.yaml").read_text())
    with pytest.raises(ValueError, match=r"config.yaml: line \d+: `qc.min_genes` is 300") as caught:
        check_run(config, sources=["config.yaml"])
    assert len(str(caught.value).splitlines()) == 2


def test_the_order_of_a_list_and_new_labels_of_time_points_are_no_difference(second: Path) -> None:
    run(lamm={"definers": ["CD68", "CSF1R", "CD14"]},
        timepoints={"pre": ["baseline", "screening"], "post": ["day_7", "day_28"]})  # fmt: skip


def test_exchanged_arms_are_refused(second: Path) -> None:
    exchanged = {"kind": "between", "test": "responder", "reference": "non_responder"}
    text = refused(contrasts={"baseline": {**exchanged, "where": {"phase": "pre"}}})
    assert "`contrasts.baseline.test`: the arms are exchanged against first/definition.yaml" in text
    text = refused(response={"responder": ["SD", "PD"], "non_responder": ["CR", "PR"]})
    assert "`response.responder`: the arms are exchanged" in text


def test_another_content_of_a_frozen_file_is_refused(second: Path) -> None:
    Path("levels.tsv").write_text("population\tgene\n")
    text = refused(lamm={"references": "levels.tsv"})
    assert "`lamm.references` is levels.tsv (content " in text
    assert "name a copy of `reference_levels.tsv`" in text


@pytest.mark.parametrize(
    ("estimate", "message"),
    [
        ({"ci_low": -0.1}, "(-0.10 to 1.69) includes 0, so there is no difference to replicate"),
        ({"ci_low": 0.0}, "includes 0"),
        ({"status": "not tested", "reason": "no such cells"}, "was not tested (no such cells)"),
        (
            {"unit": "log odds ratio per SD"},
            "`estimate.unit` is log odds ratio per SD of the first",
        ),
        ({"unit": "difference"}, "`estimate.unit` is difference, and this run has log odds ratio"),
        ({"scale": "arcsine"}, "`estimate.scale` is arcsine, and this run has logit"),
    ],
)
def test_a_first_result_that_cannot_be_replicated_is_refused(
    estimate: dict[str, Any], message: str, second: Path
) -> None:
    write_definition(Path("first/definition.yaml"), config=settings(), **estimate)
    assert message in refused()


def test_a_missing_primary_contrast_is_refused(second: Path) -> None:
    text = refused(primary={"contrast": "other"})
    assert "`primary.contrast` is other, and this cohort has no such contrast" in text


def test_the_definition_of_the_run_itself_is_refused(second: Path) -> None:
    write_definition(Path("results/definition.yaml"), config=settings())
    with pytest.raises(ValueError, match="is written by this run itself"):
        check_run(settings(definition="results/definition.yaml"))


def test_the_same_matrices_are_no_second_cohort(second: Path) -> None:
    definition = read_definition("first/definition.yaml")
    config = resolve_config(take_definition(settings(definition="first/definition.yaml"))[0])
    lines = ConfigLines([])
    for sizes, n in (([11, 12], 1), ([11, 13], 0), ([1, 2], 0)):
        found = definition_mistakes(definition, config, [baseline()], lines, sizes=sizes)
        assert len(found) == n, found
    assert (
        "these are the same samples"
        in definition_mistakes(definition, config, [baseline()], lines, sizes=[11, 12])[0]
    )


def test_a_definition_that_cannot_be_read_is_told_with_the_other_mistakes(second: Path) -> None:
    Path("first/definition.yaml").unlink()
    text = refused(seed="one")
    assert "first/definition.yaml: no such file" in text
    assert "`seed` is `one`" in text


def test_units_are_named_by_kind_of_contrast() -> None:
    assert unit_of(baseline()) == "log odds ratio"
    change = {"kind": "change", "test": "non_responder", "reference": "responder"}
    assert unit_of(baseline(change)) == "log ratio of odds ratios"
