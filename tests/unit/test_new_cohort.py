"""Drafts of config and sheets from count matrices."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from lammscope.cohort.config import resolve_config
from lammscope.cohort.sheets import check_sheets
from lammscope.new_cohort import guess_sample, main, sample_names
from tests.matrices import small_shard, write_folder, write_tenx_v2, write_tenx_v3

SHARD = small_shard()
GUESSES = {  # name: patient, time point, phase, compartment, sort, day
    "Patient6-Baseline": ("Patient6", "Baseline", "pre", "", "", None),
    "Axi-R-15_Baseline": ("Axi-R-15", "Baseline", "pre", "", "", None),
    "P10_Leukapheresis": ("P10", "Leukapheresis", "pre", "", "", None),
    "P01_D7": ("P01", "D7", "post", "", "", 7),
    "P01_day_14": ("P01", "day14", "post", "", "", 14),
    "P3_4wk": ("P3", "4wk", "post", "", "", 28),
    "S1_D-7": ("S1", "D-7", "pre", "", "", -7),
    "Tisa-N-28-D7-CART": ("Tisa-N-28", "D7", "post", "", "CART", 7),
    "P08_PB_M03": ("P08", "M03", "post", "blood", "", 90),
    "P2_BM_M7.5_CD3+": ("P2", "M7.5", "post", "marrow", "CD3+", 225),
    "P05_Infusion": ("P05", "Infusion", "", "product", "", None),
    "ac01": ("ac01", "", "", "", "", None),
    "CAR-T10310320": ("CAR-T10310320", "", "", "", "", None),
}


@pytest.mark.parametrize("name", GUESSES)
def test_names_of_public_data_sets_are_read(name: str) -> None:
    guess = guess_sample(name)
    found = (guess.patient, guess.timepoint, guess.phase, guess.compartment, guess.sort, guess.day)
    assert found == GUESSES[name]
    assert guess.sample == name


PATHS = {
    "P1/outs/filtered_feature_bc_matrix.h5": "P1",
    "P2.filtered_feature_bc_matrix.h5": "P2",
    "GSM1_P3_D7_matrix.mtx.gz": "P3_D7",
    "GSM2_P10_Leukapheresis_rna.csv.gz": "P10_Leukapheresis",
    "x/Solo.out/Gene/filtered": "x",
    "P5_pre_Solo.out/Gene/filtered": "P5_pre",
    "k/counts_unfiltered/cells_x_genes.mtx": "k",
    "ac01/ac01_matrix.mtx": "ac01",
    "P4/D7.h5": "P4_D7",
}


def test_a_sample_is_named_by_what_its_path_tells(tmp_path: Path) -> None:
    assert sample_names([tmp_path / path for path in PATHS], tmp_path) == list(PATHS.values())


def test_samples_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "GSM1_x.h5", tmp_path / "b" / "x.h5", tmp_path / "a" / "x.h5ad"]
    assert len(set(sample_names(paths, tmp_path))) == 3


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with output of a pipeline and with downloads."""
    monkeypatch.chdir(tmp_path)
    for patient in ("P1", "P2", "P3"):
        folder = tmp_path / "data" / f"{patient}_Baseline" / "outs"
        folder.mkdir(parents=True)
        write_tenx_v3(SHARD, folder / "filtered_feature_bc_matrix.h5")
        write_tenx_v3(SHARD, folder / "raw_feature_bc_matrix.h5")
        write_folder(SHARD, folder / "filtered_feature_bc_matrix", version=3)
    write_folder(SHARD, tmp_path / "data" / "P1_D7", version=2)
    (tmp_path / "data" / "notes.txt").write_text("not a matrix\n")
    return tmp_path


def read(path: str) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False)


def test_config_and_sheets_are_written_and_what_is_missing_is_said(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "--output", "study"]) == 0
    samples, patients = read("study/samples.tsv"), read("study/patients.tsv")
    assert samples["sample"].tolist() == ["P1_Baseline", "P1_D7", "P2_Baseline", "P3_Baseline"]
    assert samples["patient"].tolist() == ["P1", "P1", "P2", "P3"]
    assert samples["counts"].tolist()[0] == "data/P1_Baseline/outs/filtered_feature_bc_matrix.h5"
    assert patients["patient"].tolist() == ["P1", "P2", "P3"]
    assert set(patients["response"]) == {""}  # never guessed
    assert set(patients["product"]) == {""}
    for column in ("compartment", "sort", "batch"):
        assert set(samples[column]) == {""}
    assert samples["day"].tolist() == ["", "7.0", "", ""]
    printed = capsys.readouterr().out
    for to_do in (
        "samples.tsv: `compartment` of all samples: blood, marrow, tumour or product; empty is",
        "samples.tsv: `sort` of all samples: how cells were sorted, such as CD3+; empty is",
        "samples.tsv: `day` of P1_Baseline, P2_Baseline, P3_Baseline: days from infusion",
        "samples.tsv: `batch` of all samples: what was processed together",
        "patients.tsv: `product`: the CAR-T product of each patient",
        "config.yaml: remove `contrasts: {}` when patients have a response",
        "Results will be in results/study",
    ):
        assert to_do in printed
    assert "Found 4 count matrices in data" in printed
    outs = "data/P1_Baseline/outs/{}_feature_bc_matrix{}".format
    assert (
        f"Taken: {outs('filtered', '.h5')}; other forms of this library, left out: "
        f"{outs('filtered', '')}, {outs('raw', '.h5')}\n"
    ) in printed
    assert "patients.tsv: `response` of 3 patients" in printed
    assert "(pre: Baseline; post: D7)" in printed
    assert "symbols" not in printed
    check, run = printed.splitlines()[-2:]
    assert check == "Then: python -m lammscope.check study/config.yaml  # prints the plan"
    assert run == "and:  snakemake --cores 8 --configfile study/config.yaml"


def test_what_is_written_is_a_sound_config_with_sound_sheets(data: Path) -> None:
    main(["data", "--output", "study"])
    config = resolve_config(yaml.safe_load((data / "study" / "config.yaml").read_text()))
    sheets = check_sheets(config)
    assert sheets.mistakes == []
    assert sheets.samples["phase"].tolist() == ["pre", "post", "pre", "pre"]
    assert set(sheets.samples.columns) >= {"day", "channel", "batch"}


def test_no_contrast_is_made_while_no_response_is_known(data: Any) -> None:
    main(["data", "--output", "study"])
    config = yaml.safe_load((data / "study" / "config.yaml").read_text())
    assert config["contrasts"] == {}


OUTPUTS = {  # folder of the draft: samples in a folder of results, the folder of this cohort
    "study": ({}, "results/study"),
    "a study: #1": ({}, "results/a_study_1"),
    "Köln 'x'": ({}, "results/K_ln_x"),
    "figures": ({}, "results/figures_cohort"),
    "x/again": ({"again": "P1_D7"}, "results/again"),
    "taken": ({"taken": "other"}, "results/taken_2"),
    "both": ({"both": "other", "both_2": "another"}, "results/both_3"),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_each_cohort_has_results_of_its_own(data: Any, output: Any) -> None:
    taken, expected = OUTPUTS[output]
    for folder, sample in taken.items():
        shards = data / "results" / folder / "shards"
        shards.mkdir(parents=True)
        (shards / f"{sample}.h5ad").touch()
    assert main(["data", "--output", output]) == 0
    config = resolve_config(yaml.safe_load((data / output / "config.yaml").read_text("utf-8")))
    assert config["pathvars"] == {"results": expected}
    assert check_sheets(config).mistakes == []


def test_the_results_are_named_by_the_folder_of_the_matrices_if_no_other_is_given(
    data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data / "data")
    assert main(["."]) == 0
    config = yaml.safe_load((data / "data" / "config.yaml").read_text())
    assert config["pathvars"] == {"results": "results/data"}


def test_real_libraries_are_asked_for_what_their_names_do_not_tell(
    real_data: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(real_data("carpall")), "--output", "carpall"]) == 0
    printed = capsys.readouterr().out
    assert "Found 25 count matrices" in printed
    for column in ("timepoint", "compartment", "sort", "day", "batch"):
        assert f"samples.tsv: `{column}` of all samples" in printed
    config = resolve_config(yaml.safe_load((tmp_path / "carpall" / "config.yaml").read_text()))
    (mistake,) = check_sheets(config).mistakes
    assert "row 2: `timepoint` is empty in this and all other rows" in mistake


def test_leading_folders_that_all_share_are_no_part_of_a_patient(tmp_path: Path) -> None:
    long = tmp_path / "long_project_2024" / "cellranger"
    assert sample_names([long / "P1_pre", long / "P2_pre"], tmp_path) == ["P1_pre", "P2_pre"]
    assert sample_names([long / "P1_pre"], tmp_path) == ["P1_pre"]
    one = [tmp_path / "P1" / time for time in ("pre", "post")]  # the patient is kept
    assert sample_names(one, tmp_path) == ["P1_pre", "P1_post"]
    sites = [tmp_path / "all" / site / "P1_pre" for site in ("siteA", "siteB")]
    assert sample_names(sites, tmp_path) == ["siteA_P1_pre", "siteB_P1_pre"]


def test_what_a_name_does_not_tell_is_left_empty_and_listed(
    data: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "data" / "P1_D7").rename(data / "data" / "ac01")
    main(["data", "--output", "study"])
    assert read("study/samples.tsv").set_index("sample").loc["ac01", "timepoint"] == ""
    assert "samples.tsv: `timepoint` of ac01" in capsys.readouterr().out


def test_broken_matrices_are_left_out_by_name_and_genomes_are_asked_for(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "data" / "P4_D7.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    write_tenx_v2(SHARD, data / "data" / "P5_D7.h5", ("hg19", "mm10"))
    main(["data", "--output", "study"])
    printed = capsys.readouterr().out
    assert "Skipped: data/P4_D7.h5: " in printed
    assert "samples.tsv: `genome` of P5_D7" in printed
    assert "P4" not in set(read("study/samples.tsv")["patient"])


def test_matrices_that_are_skipped_for_one_reason_are_named_together(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "mice").mkdir()
    ids = [f"ENSMUSG{number:011d}" for number in range(len(SHARD.genes))]
    mouse = replace(SHARD, genes=SHARD.genes.assign(gene=ids, symbol=ids))
    for name in ("M1_pre", "M2_pre"):
        write_tenx_v3(mouse, data / "mice" / f"{name}.h5")
    assert main(["mice", "--output", "study"]) == 1
    first, skipped = capsys.readouterr().err.splitlines()
    assert first == "new_cohort: mice: no count matrix in this folder can be used"
    assert skipped.startswith("Skipped: mice/M1_pre.h5, mice/M2_pre.h5: genes are those of mouse")
    nameless = replace(SHARD, genes=SHARD.genes.assign(symbol=SHARD.genes["gene"]))
    write_tenx_v3(nameless, data / "mice" / "P1_pre.h5")
    assert main(["mice", "--output", "study"]) == 0
    printed = capsys.readouterr().out
    assert "Found 1 count matrix in mice (10x h5 v3: 1)." in printed
    assert "Note: no sample has gene symbols" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["empty"], "empty: no count matrix in this folder"),
        (["data", "--output", "taken"], "taken/patients.tsv already exists"),
    ],
)
def test_a_mistake_ends_with_one_line_and_writes_nothing(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (data / "empty").mkdir()
    (data / "taken").mkdir()
    (data / "taken" / "patients.tsv").write_text("patient\n")
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
    assert not (data / "taken" / "samples.tsv").exists()
