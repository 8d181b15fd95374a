"""Reruns follow content, not times, paths or comments, and missing files are made again."""

import hashlib
import os
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from benchmarks.failed_reruns import KILLER
from lammscope.core import runtime
from lammscope.joint.integration import scvi
from lammscope.provenance.verification import verify_results
from lammscope.report.figures import cohort_entries, evidence, umap
from tests.contigs import chains_of, write_cell_ranger
from tests.workflow.conftest import planned, run_snakemake, write_config

pytestmark = pytest.mark.slow

PARTS_OF_A_CLONE = ("Snakefile", "config", "lammscope", "profiles", "resources", "workflow")
UNCOMPARED = {"logs", "benchmarks", "records", "provenance.json"}  # contain times
TABLES = {".tsv", ".gz", ".parquet", ".npz"}
PANEL = "resources/markers/immune_blood_tumour.yaml"
BLIND = {"ingest_samples", "select_cells", "call_lamm", "count_cells", "build_pseudobulk"}
# Rules that are killed in one run after the other, of each stage; those of a run do not depend on
# each other.
KILLED = [
    ("ingest_samples_001",),
    ("integrate_harmony",),
    ("call_lamm", "sample_neighborhoods"),
    ("test_abundance", "build_pseudobulk", "test_survival", "draw_cohort"),
    ("test_states",),
    ("write_report",),
]


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """Another clone of the workflow, to edit."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in PARTS_OF_A_CLONE:
        if (repository / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(repository / name, folder / name, ignore=ignored)
        else:
            shutil.copy2(repository / name, folder / name)
    return folder


@pytest.fixture
def moved(finished: Path, tmp_path: Path) -> Path:
    """Copy the finished cohort to another folder, with modification times."""
    return Path(shutil.copytree(finished, tmp_path / "moved"))


def plan(clone: Path, folder: Path, *arguments: str) -> dict[str, int]:
    """List the jobs that a clone would run in a folder."""
    run = run_snakemake(clone, folder, "--dry-run", *arguments)
    assert run.code == 0, run.text[-3000:]
    assert planned(run.text) or "Nothing to be done" in run.text
    return planned(run.text)


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first match of a pattern in a file."""
    text, n = re.subn(old, new, path.read_text(), count=1, flags=re.M)
    assert n == 1
    path.write_text(text)


def in_clone(clone: Path, repository: Path, module: Any) -> Path:
    """Return the file of a module in a clone."""
    return clone / Path(module.__file__).relative_to(repository)


def results(folder: Path) -> set[str]:
    """Every result of a run by its path, logs and benchmarks aside."""
    files = (path.relative_to(folder) for path in (folder / "results").rglob("*"))
    return {str(p) for p in files if p.parts[1] not in UNCOMPARED and (folder / p).is_file()}


def tables(folder: Path) -> dict[str, str]:
    """Return digests of all tables and arrays of a run."""
    names = (name for name in results(folder) if Path(name).suffix in TABLES)
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_another_place_another_clone_and_new_times_rerun_nothing(clone: Path, moved: Path) -> None:
    for path in clone.rglob("*"):
        os.utime(path)
    assert plan(clone, moved) == {}


def test_times_of_a_clock_that_jumps_rerun_nothing(moved: Path, repository: Path) -> None:
    for number, path in enumerate(sorted((moved / "results").rglob("*"))):
        time = path.stat().st_mtime + (-1, 1)[number % 2] * 1000 * (number + 1)
        os.utime(path, (time, time))
    assert plan(repository, moved, "--rerun-triggers", "params", "input", "software-env") == {}


def test_no_job_fails_because_its_input_is_from_the_future(
    relative_cohort: Path, repository: Path
) -> None:
    """As of matrices from a machine whose clock is ahead, and after this one was set back."""
    index = "results/joint/cells.parquet"

    def move_times(folder: str) -> None:
        for path in (relative_cohort / folder).rglob("*"):
            time = path.stat().st_mtime + 86400
            os.utime(path, (time, time))

    move_times("counts")
    run = run_snakemake(repository, relative_cohort, index)
    assert run.code == 0, run.text[-3000:]
    move_times("results")
    (relative_cohort / index).unlink()
    run = run_snakemake(repository, relative_cohort, index)
    assert run.code == 0, run.text[-3000:]
    assert "Nothing to be done" in run_snakemake(repository, relative_cohort, "-n", index).text


def test_comments_and_docstrings_rerun_nothing(clone: Path, moved: Path) -> None:
    for folder in ("lammscope", "workflow/scripts"):
        for path in (clone / folder).rglob("*.py"):
            edit(path, r'\A"""', '"""Of the field: ')
            path.write_text(f"# One comment.\n{path.read_text()}\n# Another.\n")
    assert plan(clone, moved) == {}


@pytest.mark.parametrize(
    ("module", "constant", "rule"),
    [(evidence, "MARKERS_A_TYPE", "draw_evidence"), (umap, "MAX_LEGEND", "draw_cohort")],
)
def test_a_changed_constant_reruns_the_rules_that_use_it(
    clone: Path, moved: Path, repository: Path, module: Any, constant: str, rule: str
) -> None:
    edit(in_clone(clone, repository, module), rf"^({constant} =) \d+", r"\1 1")
    assert plan(clone, moved) == {rule: 1, "write_report": 1, "all": 1}


def test_a_changed_caption_reruns_the_report_alone(
    clone: Path, moved: Path, repository: Path
) -> None:
    edit(
        in_clone(clone, repository, cohort_entries),
        "Barcodes kept and removed",
        "Barcodes of samples",
    )
    assert plan(clone, moved) == {"write_report": 1, "all": 1}


def test_an_edit_of_one_integration_method_does_not_rerun_another(
    clone: Path, moved: Path, repository: Path
) -> None:
    edit(
        in_clone(clone, repository, scvi),
        "early_stopping_patience=20",
        "early_stopping_patience=21",
    )
    assert plan(clone, moved) == {"write_report": 1, "all": 1}


def test_an_edit_of_what_holds_no_science_reruns_nothing(
    clone: Path, moved: Path, repository: Path
) -> None:
    edit(in_clone(clone, repository, runtime), r"^(logger =) .*", r'\1 logging.getLogger("x")')
    assert plan(clone, moved) == {}


@pytest.mark.parametrize(
    ("name", "rerun", "kept"),
    [
        (PANEL, {"extract_panel", "annotate_cells", "draw_evidence"}, {"embed_cells"}),
        ("resources/lamm/reference_levels.tsv", {"call_lamm"}, {"annotate_cells"}),
        ("resources/signatures/myeloid.gmt", {"extract_panel", "score_states"}, {"embed_cells"}),
        ("resources/signatures/t_cell.gmt", {"extract_panel", "score_states"}, {"embed_cells"}),
    ],
)
def test_a_shipped_file_reruns_what_reads_it(
    clone: Path, moved: Path, name: str, rerun: set[str], kept: set[str]
) -> None:
    (clone / name).write_text(f"{(clone / name).read_text()}\n")
    rules = set(plan(clone, moved))
    assert rules >= rerun
    assert not rules & kept


@pytest.mark.parametrize("name", ["sections/quality.html.jinja", "scripts/tables.js"])
def test_a_changed_template_reruns_the_report(clone: Path, moved: Path, name: str) -> None:
    path = clone / "lammscope" / "report" / "template" / name
    path.write_text(f"{path.read_text()}\n")
    assert plan(clone, moved) == {"write_report": 1, "all": 1}


def test_an_own_panel_counts_by_its_content_and_not_by_its_path(clone: Path, moved: Path) -> None:
    own = Path(shutil.copy(clone / PANEL, moved / "own.yaml"))
    write_config(moved, annotation={"panel": "own.yaml"})  # which sorts the keys, too
    later = ("save_config", "write_definition", "write_report", "all")  # a definition names it
    assert plan(clone, moved) == dict.fromkeys(later, 1)
    own.write_text(f"{own.read_text()}\n")
    assert {"extract_panel", "annotate_cells"} <= set(plan(clone, moved))


def test_a_param_that_takes_the_value_of_another_reruns_its_rule(clone: Path, moved: Path) -> None:
    """Snakemake compares params without their names."""
    config = yaml.safe_load((moved / "results" / "config.yaml").read_text())
    assert config["seed"] == 1  # as the threads of `compare_resolutions`
    n_neighbors = config["clustering"]["n_neighbors"]
    assert "compare_resolutions" in plan(clone, moved, "--config", f"seed={n_neighbors}")


def test_archived_matrices_rerun_nothing(moved: Path, repository: Path) -> None:
    shutil.rmtree(moved / "counts")
    assert plan(repository, moved) == {}
    edit(moved / "patients.tsv", r"female", "male")
    rules = set(plan(repository, moved))
    assert {"save_samples", "test_abundance"} <= rules
    assert not rules & BLIND


@pytest.mark.parametrize("compare", ["size", "checksum"])
def test_an_older_matrix_in_the_place_of_another_is_read_in_again(
    moved: Path, repository: Path, compare: str
) -> None:
    """As `cp -p` and `rsync -a` put it there."""
    check = ("--config", f"inputs={{compare: {compare}}}")
    assert "ingest_samples" not in plan(repository, moved, *check)
    path = moved / "counts" / "P01_baseline.h5"
    content = path.read_bytes()
    same_size = content[:15] + b"\1" + content[16:]  # a byte of the superblock without a meaning
    path.write_bytes(content + b" " if compare == "size" else same_size)
    os.utime(path, (1, 1))
    run = run_snakemake(repository, moved, "--dry-run", *check)
    assert planned(run.text)["ingest_samples"] == 1
    assert {"select_cells", "write_report"} <= set(planned(run.text))
    if compare == "checksum":
        assert plan(repository, moved) == {}  # the size alone does not tell
    target = "results/shards/P01_baseline.h5ad"
    assert run_snakemake(repository, moved, target, *check).code == 0
    for again in ((), check):
        assert "ingest_samples" not in plan(repository, moved, *again)


def test_a_changed_matrix_beside_archived_ones_is_read_in_alone(
    moved: Path, repository: Path
) -> None:
    (moved / "counts" / "P01_baseline.h5").unlink()
    assert plan(repository, moved) == {}
    path = moved / "counts" / "P01_day_7.h5"
    path.write_bytes(path.read_bytes() + b" ")
    target = "results/qc/P01_day_7.moments.parquet"
    run = run_snakemake(repository, moved, "--dry-run", "--printshellcmds", target)
    assert planned(run.text)["ingest_samples"] == 1
    assert "counts/P01_day_7.h5" in run.text
    assert "counts/P02" not in run.text
    assert run_snakemake(repository, moved, target).code == 0
    assert "ingest_samples" not in plan(repository, moved)


def test_a_changed_threshold_of_a_sample_beside_archived_ones_is_heeded(
    moved: Path, repository: Path
) -> None:
    (moved / "counts" / "P01_baseline.h5").unlink()
    sheet = moved / "samples.tsv"
    header, *rows = sheet.read_text().splitlines()
    own = ["900" if row.startswith("P01_day_7\t") else "" for row in rows]
    lines = [f"{header}\tmin_counts", *map("\t".join, zip(rows, own, strict=True))]
    sheet.write_text("\n".join(lines) + "\n")
    run = run_snakemake(repository, moved, "--dry-run", "--printshellcmds")
    assert planned(run.text)["ingest_samples"] == 1
    (inputs,) = re.findall(r"rule ingest_samples_001:\n +input: (.*)", run.text)
    assert inputs.split(", ") == ["counts/P01_day_7.h5"]
    own = ["900" if row.startswith("P01_baseline\t") else "" for row in rows]
    lines = [f"{header}\tmin_counts", *map("\t".join, zip(rows, own, strict=True))]
    sheet.write_text("\n".join(lines) + "\n")
    run = run_snakemake(repository, moved, "--dry-run")
    assert run.code == 1
    assert "P01_baseline.h5`, which does not exist" in run.text


def test_archived_matrices_are_asked_for_where_they_are_needed(
    moved: Path, repository: Path
) -> None:
    shutil.rmtree(moved / "counts")
    run = run_snakemake(repository, moved, "--dry-run", "--config", "qc={min_counts: 801}")
    assert run.code == 1
    assert run.text.count("which does not exist") == 12
    (moved / "results" / "shards" / "P01_baseline.h5ad").unlink()
    run = run_snakemake(repository, moved, "--dry-run")
    assert run.code == 1
    assert re.findall(r"`counts` is `(.*)`, which does not exist", run.text) == [
        "./counts/P01_baseline.h5"
    ]


def test_archived_matrices_are_known_in_a_folder_of_results_of_its_own(
    moved: Path, repository: Path
) -> None:
    shutil.rmtree(moved / "counts")
    (moved / "results").rename(moved / "own")
    write_config(moved, pathvars={"results": "own"})
    assert not set(plan(repository, moved)) & BLIND
    write_config(moved, pathvars={"results": "another"})
    assert run_snakemake(repository, moved, "--dry-run").code == 1


def test_touched_or_rearranged_sheets_and_a_touched_schema_rerun_nothing(
    clone: Path, moved: Path
) -> None:
    for name in ("samples", "patients"):
        path = moved / f"{name}.tsv"
        header, *rows = path.read_text().splitlines()
        path.write_text("\n".join([header, *reversed(rows), "# One comment."]) + "\n")
        schema = clone / "workflow" / "schemas" / f"{name}.schema.yaml"
        schema.write_text(f"{schema.read_text()}\n")
    assert plan(clone, moved) == {}


def test_a_changed_covariate_reruns_statistics_only(moved: Path, repository: Path) -> None:
    edit(moved / "patients.tsv", r"female", "male")
    rules = plan(repository, moved)
    assert rules["save_samples"] == 1
    assert {"audit_design", "test_abundance", "test_expression", "write_report"} <= set(rules)
    assert not set(rules) & BLIND


def test_a_later_follow_up_reruns_only_what_reads_it(moved: Path, repository: Path) -> None:
    sheet = moved / "patients.tsv"
    header, first, *rows = sheet.read_text().splitlines()
    values = dict(zip(header.split("\t"), first.split("\t"), strict=True))
    values["os_days"] = str(int(values["os_days"]) + 1)
    sheet.write_text("\n".join([header, "\t".join(values.values()), *rows]) + "\n")
    later = ("save_follow_up", "test_survival", "assemble_cohort", "write_report", "all")
    assert plan(repository, moved) == dict.fromkeys(later, 1)


def test_contigs_rerun_only_what_reads_them(moved: Path, repository: Path) -> None:
    sheet, archive = moved / "samples.tsv", moved / "tcr.csv"
    header, *rows = sheet.read_text().splitlines()
    cells = pd.read_parquet(moved / "results" / "annotation" / "cells.parquet")
    cells = cells[(cells["sample"] == "P01_day_7") & (cells["lineage"] == "T")]
    names = cells["cell"].str.removeprefix("P01_day_7_").tolist()
    write_cell_ranger(chains_of(names, [n % 9 for n in range(len(names))]), archive)
    named = ["tcr.csv" if row.startswith("P01_day_7\t") else "" for row in rows]
    lines = [f"{header}\tcontigs", *map("\t".join, zip(rows, named, strict=True))]
    sheet.write_text("\n".join(lines) + "\n")
    run = run_snakemake(repository, moved, "--dry-run")
    later = ("test_states", "draw_axis", "write_report", "all")
    assert planned(run.text) == dict.fromkeys(("count_clones", *later), 1)
    assert "T-cell receptors: contigs of 1 of 12 samples (without: P01_baseline," in run.text
    run = run_snakemake(repository, moved)
    assert run.code == 0, run.text[-3000:]
    clones = pd.read_csv(moved / "results" / "axis" / "clones.tsv", sep="\t")
    assert clones.set_index("population").at["T", "n_with_clone"] == len(names)
    assert plan(repository, moved) == {}
    path = moved / "patients.tsv"
    path.write_text(path.read_text().replace("CR", "XX").replace("PD", "CR").replace("XX", "PD"))
    assert not {"count_clones", *BLIND} & set(plan(repository, moved))
    text = archive.read_text().splitlines(keepends=True)
    archive.write_text("".join(text[:-2]))
    os.utime(archive, (1, 1))  # as `cp -p` puts it there
    assert "count_clones" in plan(repository, moved)
    sheet.write_text("\n".join([header, *rows]) + "\n")
    assert "count_clones" not in plan(repository, moved)


def test_a_label_redraws_figures_and_report_and_nothing_else(moved: Path, repository: Path) -> None:
    sheet = moved / "samples.tsv"
    header, *rows = sheet.read_text().splitlines()
    labels = ["Patient 1, before", *[""] * (len(rows) - 1)]
    lines = [f"{header}\tlabel", *map("\t".join, zip(rows, labels, strict=True))]
    sheet.write_text("\n".join(lines) + "\n")
    drawn = ("draw_quality", "draw_cohort", "draw_evidence", "gather_cell_map")
    assert plan(repository, moved) == dict.fromkeys((*drawn, "write_report", "all"), 1)


def test_every_result_is_a_target_of_its_own(moved: Path, repository: Path) -> None:
    run = run_snakemake(repository, moved, "--dry-run", "--printshellcmds", "--forcerun", "all")
    (listed,) = re.findall(r"^rule all:\n    input: (.*)$", run.text, re.M)
    assert set(listed.split(", ")) == results(moved)


def test_a_missing_intermediate_is_made_anew(moved: Path, repository: Path) -> None:
    for name in ("joint/harmony.npz", "shards/P01_baseline.h5ad", "figures/cohort/states.pdf"):
        (moved / "results" / name).unlink()
    rules = plan(repository, moved)
    assert rules["ingest_samples"] == 1
    assert {"integrate_harmony", "draw_evidence"} <= set(rules)


def test_a_missing_intermediate_of_another_choice_is_made_anew(
    moved: Path, repository: Path
) -> None:
    """Though what was made from it is there, and is what the run asks for."""
    choice = ("--config", "multiverse={doublets: [kept]}")
    space = "results/multiverse/doublets_kept/joint/pca.npz"
    run = run_snakemake(repository, moved, space, *choice)
    assert run.code == 0, run.text[-3000:]
    (moved / space).with_name("cells.parquet").unlink()
    assert {"select_cells_again", "embed_cells_again"} <= set(
        plan(repository, moved, space, *choice)
    )


def test_reruns_after_a_killed_job_of_each_stage_give_what_an_undisturbed_run_gives(
    moved: Path, finished: Path, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = ("--config", "seed=2")
    killer = tmp_path / "killer" / "sitecustomize.py"
    killer.parent.mkdir()
    killer.write_text(KILLER)
    for rules in KILLED:
        with monkeypatch.context() as patch:
            patch.setenv("PYTHONPATH", str(killer.parent))
            patch.setenv("KILLED", " ".join(rules))
            run = run_snakemake(repository, moved, "--keep-going", *seed)
        assert set(re.findall(r"Error in rule (\w+?);", run.text)) == set(rules)
        assert run.code == 1
    run = run_snakemake(repository, moved, *seed)
    assert run.code == 0, run.text[-3000:]
    undisturbed = Path(shutil.copytree(finished, tmp_path / "undisturbed"))
    run = run_snakemake(repository, undisturbed, *seed)
    assert run.code == 0, run.text[-3000:]
    umap = "results/joint/umap.npz"
    assert tables(undisturbed)[umap] != tables(finished)[umap]
    assert tables(moved) == tables(undisturbed)
    report = "results/report.html"
    assert (moved / report).read_bytes() == (undisturbed / report).read_bytes()
    assert verify_results(moved / "results")[0] == []


def test_another_config_in_a_second_clone_is_noticed(moved: Path, repository: Path) -> None:
    """Snakemake's notes of the first clone's settings are not in the folder of results."""
    theta = ("--config", "integration={harmony: {theta: 3}}")
    planned_here = plan(repository, moved, *theta)
    shutil.rmtree(moved / ".snakemake")
    assert plan(repository, moved) == {}
    assert plan(repository, moved, *theta) == planned_here
    assert "integrate_harmony" in planned_here


def test_results_that_lack_their_records_are_computed_again(moved: Path, repository: Path) -> None:
    shutil.rmtree(moved / "results" / "records")
    assert {"ingest_samples", "write_report"} <= set(plan(repository, moved))


def test_a_result_in_the_place_of_another_is_made_anew(moved: Path, repository: Path) -> None:
    """With another content, though not with another size or time."""
    path = moved / "results" / "abundance" / "scores.tsv"
    state, text = path.stat(), path.read_text()
    digit = re.search(r"[1-8]\n", text)
    assert digit
    at = digit.start()
    path.write_text(f"{text[:at]}{int(text[at]) + 1}{text[at + 1 :]}")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    rules = plan(repository, moved)
    assert {"count_cells", "test_abundance", "write_report"} <= set(rules)
    assert "annotate_cells" not in rules


def test_times_of_results_and_of_unchanged_matrices_do_not_count(
    finished: Path, tmp_path: Path, repository: Path
) -> None:
    """As after a copy without times, or where a clock was set back."""
    copy = Path(shutil.copytree(finished, tmp_path / "copy", copy_function=shutil.copyfile))
    draws = random.Random(1)
    for folder in ("counts", "results"):
        for path in (copy / folder).rglob("*"):
            if path.is_file():
                time = draws.uniform(1e9, 2.2e9)
                os.utime(path, (time, time))
    assert plan(repository, copy) == {}
