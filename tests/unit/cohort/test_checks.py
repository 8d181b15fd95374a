"""Checks of config, sheets, contrasts and matrices together."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lammscope.cohort.audit import audit_design
from lammscope.cohort.checks import Intake, check_run
from tests.matrices import small_shard, write_tenx_v3


@pytest.fixture
def told(
    relative_cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Intake | None, list[str]]]:
    """Check the sound cohort with lines added to its config; return the run and its mistakes."""
    monkeypatch.chdir(relative_cohort)

    def run(text: str = "", **options: Any) -> tuple[Intake | None, list[str]]:
        path = relative_cohort / "config.yaml"
        path.write_text(path.read_text() + text)
        config = yaml.safe_load(path.read_text())
        try:
            return check_run(config, sources=["config.yaml"], **options), []
        except ValueError as error:
            return None, str(error).splitlines()

    return run


def line_of(folder: Path, key: str) -> int:
    lines = (folder / "config.yaml").read_text().splitlines()
    return next(n for n, line in enumerate(lines, start=1) if line.strip().startswith(key))


def test_a_sound_cohort_gives_samples_contrasts_and_no_notes(
    told: Callable[..., tuple[Intake | None, list[str]]],
) -> None:
    taken, mistakes = told()
    assert mistakes == []
    assert len(taken.samples) == 12
    assert [contrast.name for contrast in taken.contrasts] == ["baseline", "on_treatment", "change"]
    assert taken.notes == []
    assert taken.config["qc"]["min_counts"] == 400


def test_a_mistake_in_a_contrast_has_the_line_of_the_contrast(
    told: Callable[..., tuple[Intake | None, list[str]]], relative_cohort: Path
) -> None:
    _, mistakes = told(
        "primary: {contrast: second}\n"
        "contrasts:\n"
        "  first: {kind: between, test: non_responder, reference: responder, where: {phase: pre}}\n"
        "  second:\n"
        "    {kind: between, test: nobody, reference: responder, where: {phase: pre}}\n"
    )
    (mistake,) = mistakes
    line = line_of(relative_cohort, "second:")
    assert mistake.startswith(f"config.yaml: line {line}: contrast `second`: ")
    assert "no value `nobody`" in mistake


def test_mistakes_of_config_sheets_contrasts_and_matrices_come_together(
    told: Callable[..., tuple[Intake | None, list[str]]], relative_cohort: Path
) -> None:
    (relative_cohort / "counts" / "P01_baseline.h5").write_text("<html>")
    patients = pd.read_csv(relative_cohort / "patients.tsv", sep="\t", dtype=str)
    patients.loc[0, "age"] = "fifty"
    patients.to_csv(relative_cohort / "patients.tsv", sep="\t", index=False)
    _, mistakes = told(
        "integration: {batch: chanel, scvi: {covariates: [sexx]}}\n"
        "lamm: {references: none.tsv}\n"
        "contrasts:\n  baseline: {kind: between, test: a, reference: responder}\n"
    )
    text = "\n".join(mistakes)
    assert len(mistakes) == 6
    line = line_of(relative_cohort, "integration:")
    assert (
        f"config.yaml: line {line}: `integration.batch` is `chanel`, which is not a column" in text
    )
    assert "`integration.scvi.covariates` names `sexx`, which is not a column" in text
    assert "`lamm.references` is `none.tsv`, which does not exist" in text
    assert "`age` is `fifty`; it must be a number" in text
    assert "contrast `baseline`: " in text
    assert "counts counts/P01_baseline.h5: a web page" in text


def test_no_contrast_at_all_stops_unless_the_config_wants_none(
    told: Any, relative_cohort: Path
) -> None:
    samples = pd.read_csv(relative_cohort / "samples.tsv", sep="\t", dtype=str)
    samples.assign(sort="CD3+").to_csv(relative_cohort / "samples.tsv", sep="\t", index=False)
    _, mistakes = told()
    (mistake,) = mistakes
    assert "all 12 samples are sorted libraries (`sort`: CD3+)" in mistake
    taken, mistakes = told("contrasts: {}\n")
    assert (taken.contrasts, mistakes) == ([], [])


@pytest.mark.parametrize(("text", "n"), [("", 3), ("contrasts:\n", 3), ("contrasts: {}\n", 0)])
def test_the_saved_config_means_the_same_as_the_users(told: Any, text: str, n: Any) -> None:
    taken, _ = told(text)
    assert len(taken.contrasts) == n
    assert check_run(yaml.safe_load(yaml.safe_dump(taken.config))).contrasts == taken.contrasts


ADJUSTED = (
    "contrasts:\n  baseline: {kind: between, test: non_responder, reference: responder, "
    "where: {phase: pre}, adjust: [sex]}\n"
)


def test_levels_that_differ_in_capitals_stop_a_run_that_uses_them(
    told: Any, relative_cohort: Path
) -> None:
    patients = pd.read_csv(relative_cohort / "patients.tsv", sep="\t", dtype=str)
    patients["sex"] = ["F", "f", *["M"] * (len(patients) - 2)]
    patients.to_csv(relative_cohort / "patients.tsv", sep="\t", index=False)
    words = "patients.tsv: `sex` has levels that differ only in capitals or spaces: `F` (row 2)"
    taken, _ = told()
    assert [note.startswith(words) for note in taken.notes] == [True]
    _, (mistake,) = told(ADJUSTED)
    assert mistake.startswith(words)


def test_a_sort_of_unknown_meaning_is_a_mistake_wherever_it_stands(
    told: Any, relative_cohort: Path
) -> None:
    samples = pd.read_csv(relative_cohort / "samples.tsv", sep="\t", dtype=str)
    samples["sort"] = ["gate7", *["none"] * 11]
    samples.to_csv(relative_cohort / "samples.tsv", sep="\t", index=False)
    _, (mistake,) = told()
    name = samples["sample"][0]
    assert mistake.startswith(f"samples.tsv: samples {name}: column `sort`: it is not known which")


def test_matrices_need_not_be_opened_again(told: Any, relative_cohort: Path) -> None:
    (relative_cohort / "counts" / "P01_baseline.h5").write_text("<html>")
    taken, mistakes = told(look=False)
    assert mistakes == []
    assert len(taken.samples) == 12


def test_a_cohort_without_any_symbol_is_refused_before_it_is_read(
    told: Any, relative_cohort: Path
) -> None:
    paths = sorted((relative_cohort / "counts").glob("*.h5"))
    for seed, path in enumerate(paths):
        shard = small_shard(40, 400, seed=seed)
        ids = shard.genes.assign(symbol=shard.genes["gene"])
        write_tenx_v3(replace(shard, genes=ids), path)
    _, (mistake,) = told()
    assert mistake.startswith("samples.tsv: no sample has gene symbols, by which markers and gene")
    write_tenx_v3(small_shard(40, 400, seed=99), paths[7])
    assert told()[1] == []


WORDS = st.sampled_from(["pre", "post", "CR", "responder", "none", "7", "A", "x"])
LIBRARIES = st.tuples(
    st.sampled_from("ABCD"),
    st.sampled_from(["pre", "post", "7"]),
    st.sampled_from(["-6", "7", ""]),
    st.sampled_from(["none", "7"]),
    st.sampled_from(["blood", "product", ""]),
)
PATIENTS = st.tuples(
    st.sampled_from(["CR", "PD", "NE", ""]),
    st.sampled_from(["50", "61", ""]),
    st.sampled_from(["n", "s", "1"]),
)
COLUMNS = ["response", "phase", "timepoint", "sort", "age", "day", "site", "patient"]
ENTRIES = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["between", "paired", "change"]),
        "test": st.sampled_from(["non_responder", "post", "CR", "7"]),
        "reference": st.sampled_from(["responder", "pre", "PD", "7"]),
    },
    optional={
        "column": st.sampled_from(COLUMNS),
        "where": st.dictionaries(st.sampled_from(COLUMNS), WORDS, max_size=2),
        "adjust": st.lists(st.sampled_from(COLUMNS), max_size=2),
        "match": st.lists(st.sampled_from(COLUMNS), max_size=2),
        "choose": st.sampled_from(["first", "last", "pre"]),
    },
)


@settings(max_examples=60)
@given(
    libraries=st.lists(LIBRARIES, min_size=1, max_size=9),
    patients=st.lists(PATIENTS, min_size=4, max_size=4),
    contrasts=st.dictionaries(st.sampled_from(["one", "two"]), ENTRIES, max_size=2),
)
def test_any_sheets_and_contrasts_are_taken_in_or_give_messages(
    tmp_path_factory: pytest.TempPathFactory,
    libraries: list[tuple[str, str, str, str, str]],
    patients: list[tuple[str, str, str]],
    contrasts: dict[str, dict[str, Any]],
) -> None:
    folder = tmp_path_factory.getbasetemp()
    header = ["sample", "counts", "patient", "timepoint", "day", "sort", "compartment"]
    tables = {
        "samples": [header, *([f"S{i}", f"{i}.h5", *row] for i, row in enumerate(libraries))],
        "patients": [
            ["patient", "response", "age", "site"],
            *([name, *row] for name, row in zip("ABCD", patients, strict=True)),
        ],
    }
    for i in range(len(libraries)):
        (folder / f"{i}.h5").touch()
    for name, rows in tables.items():
        (folder / f"{name}.tsv").write_text("\n".join("\t".join(row) for row in rows) + "\n")
    paths = {name: str(folder / f"{name}.tsv") for name in tables}
    config = paths | {"contrasts": contrasts, "sorts": {"7": "all"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        try:
            taken = check_run(config, look=False)
        except ValueError:
            return
    audit = audit_design(
        taken.samples, taken.comparisons, sorts=taken.config["sorts"], max_exact=100, n_draws=100
    )
    assert set(audit["contrast"]) >= {contrast.name for contrast in taken.contrasts}
