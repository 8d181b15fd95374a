"""Files and folders outside a study: named in the plan, and never overwritten."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lammscope.cohort.config import check_config
from lammscope.cohort.outside import outside_notes, refuse_unsafe_folders
from lammscope.core.resources import HOME

PATTERNS = ["config.yaml", "qc/{sample}.parquet", "report.html"]
NO_FILES = pd.DataFrame({"sample": ["a"], "counts": ["data/a.h5"]})


@pytest.fixture
def config() -> dict[str, Any]:
    return check_config({"samples": "study/samples.tsv", "patients": "study/patients.tsv"})[0]


def refuse(config: dict[str, Any], samples: pd.DataFrame = NO_FILES, **folders: str) -> None:
    folders = {"results": "results", **folders}
    sources = ["study/config.yaml"]
    refuse_unsafe_folders(folders, config, samples, sources=sources, patterns=PATTERNS)


@pytest.mark.parametrize("folder", ["/", "/etc/cohort", "~", str(HOME / "workflow")])
def test_results_are_not_written_to_the_system_the_workflow_or_a_home(
    config: dict[str, Any], folder: str
) -> None:
    folder = str(Path(folder).expanduser())
    with pytest.raises(ValueError, match=r"`pathvars.results` is .*a folder of the system"):
        refuse(config, results=folder)
    with pytest.raises(ValueError, match=r"`pathvars.logs` is "):
        refuse(config, logs=folder)


def test_results_may_lie_in_memory_or_on_a_disk_that_was_plugged_in(config: dict[str, Any]) -> None:
    refuse(config, results="/dev/shm/cohort")
    refuse(config, results="/run/media/user/disk/cohort")


def test_results_do_not_replace_the_inputs_of_their_run(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refuse(config)
    with pytest.raises(ValueError, match=r"^study/config.yaml: an input that lies where results"):
        refuse(config, results="study")
    matrix = NO_FILES.assign(counts="results/shards/a.h5ad")
    with pytest.raises(ValueError, match=r"^results/shards/a.h5ad: an input"):
        refuse(config, matrix)
    refuse(config, matrix, results="results/second")


def test_files_of_the_system_and_of_other_people_are_named(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert outside_notes(config, NO_FILES) == []
    link = tmp_path / "linked.h5"
    link.symlink_to("/etc/hostname")
    samples = pd.DataFrame({"counts": [str(link), "/home/somebody-else/a.h5", "b.h5"]})
    (note,) = outside_notes(config, samples)
    assert "linked.h5" in note
    assert "somebody-else" in note
    assert "b.h5" not in note


def test_hidden_characters_in_a_config_are_located(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("samples: a.tsv\nannotation: {panel: 'x\u202ey'}\n", encoding="utf-8")
    settings = {"samples": "a.tsv", "annotation": {"panel": "x\u202ey"}}
    mistakes = check_config(settings, sources=[path])[1]
    assert any(
        "config.yaml: line 2: `annotation.panel`" in text and "U+202E" in text for text in mistakes
    )
