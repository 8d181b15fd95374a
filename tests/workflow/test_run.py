"""The tiny cohort from matrices to the report: complete, idle afterwards, blind to response."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import anndata
import numpy as np
import pandas as pd
import pytest
from snakemake.io import expand

from lammscope.cohort.sample_table import read_sample_table
from lammscope.report.catalog import read_catalog
from lammscope.report.figures.catalog import figure_names
from tests.browser import reader
from tests.browser.pages import PHONE, check_report, open_browser, open_page
from tests.result_tables import column_mistakes, read_columns
from tests.workflow.conftest import Run, planned

pytestmark = pytest.mark.slow

# Tables of a CellTypist model, of T-cell receptors, and of other choices.
OPTIONAL = {
    *("multiverse_specifications", "multiverse_summary", "multiverse_choices"),
    *("labels", "clones", "clone_cells", "clone_measures", "clone_tracking", "clone_doublets"),
    "contigs",
    "replication",  # a run that replicates another one
}
CONTRASTS = ["baseline", "on_treatment", "change"]
CELL_COLUMNS = {
    *("cell", "sample", "patient", "cluster", "lineage", "cell_type", "population", "lamm_score"),
    *("lamm_positive", "lamm_macrophage_like", "lamm_call", "lamm_veto", "lamm_reference"),
    *("lamm_own_patient", "car", "car_probability", "cell_state"),
}
ABUNDANCE_COLUMNS = {
    *("population", "denominator", "scale", "estimate", "se", "ci_low", "ci_high", "t", "df", "p"),
    *("fdr", "p_moderated", "fdr_moderated", "p_permutation", "p_floor", "permutation_scheme"),
    *("mean_test", "mean_reference", "n_test", "n_reference", "influence_low", "influence_high"),
    *("influence_patient", "influence_p_max", "detectable", "compositional", "without"),
    *(
        "p_without",
        "estimate_incomplete",
        "p_incomplete",
        "n_incomplete_test",
        "p_weighted",
        "status",
        "reason",
        "p_holm",
        "verdict",
        "words",
    ),
}
EXPRESSION_COLUMNS = {
    *("cell_type", "gene", "symbol", "mean_expression", "log2fc", "ci_low", "ci_high", "t", "df"),
    *("p", "fdr", "n_test", "n_reference", "status"),
    *("ambient_share", "ambient_is_limit", "ambient"),
}
STATISTICS = {
    *("test_robustness", "diagnose_calibration", "test_gene_sets", "audit_losses"),
    *("gather_expression", "draw_expression"),
    *("test_neighborhoods", "draw_neighborhoods"),
    *("test_pairs", "test_states", "draw_axis"),
    *("test_survival", "write_definition"),
}

# another language, time zone, order of sets, and number of threads of native libraries
ELSEWHERE = {
    "LC_ALL": "C",
    "TZ": "Pacific/Kiritimati",
    "PYTHONHASHSEED": "1",
    "OMP_NUM_THREADS": "4",
    "OPENBLAS_NUM_THREADS": "4",
}


def test_every_result_is_there_with_the_promised_columns(finished: Path) -> None:
    results = finished / "results"
    cells = pd.read_parquet(results / "annotation" / "cells.parquet")
    assert set(cells) >= CELL_COLUMNS
    assert cells["lamm_macrophage_like"].between(0, 1).all()
    assert set(cells["lamm_call"]) <= {"LAMM", "not_LAMM", "uncertain"}
    assert ((cells["lamm_call"] == "LAMM") == (cells["lamm_positive"] >= 0.9)).all()
    assert "LAMM" not in set(cells["population"])  # types are the partition
    for contrast in CONTRASTS:
        abundance = pd.read_csv(results / "abundance" / f"{contrast}.tsv", sep="\t")
        assert set(abundance) >= ABUNDANCE_COLUMNS
        expression = pd.read_csv(results / "expression" / f"{contrast}.tsv.gz", sep="\t")
        assert set(expression) >= EXPRESSION_COLUMNS
        gene_sets = pd.read_csv(results / "expression" / f"gene_sets.{contrast}.tsv", sep="\t")
        assert "ok" in set(gene_sets["status"])
        robustness = pd.read_csv(results / "abundance" / f"robustness.{contrast}.tsv", sep="\t")
        lamm = abundance.query("population == 'LAMM' and denominator == 'immune'")
        assert robustness["p"].iloc[0] == pytest.approx(lamm.query("scale == 'logit'")["p"].iloc[0])
    roles = pd.read_csv(results / "abundance" / "lamm.tsv", sep="\t")["role"].value_counts()
    assert roles["primary"] == 1
    losses = pd.read_csv(results / "design" / "losses.tsv", sep="\t")
    assert set(losses["contrast"]) == set(CONTRASTS)
    calibration = pd.read_csv(results / "design" / "calibration.tsv", sep="\t")
    assert set(calibration["contrast"]) == {"baseline"}
    calls = pd.read_csv(results / "annotation" / "calls.tsv", sep="\t")
    assert calls["n_lamm"].sum() == (cells["lamm_call"] == "LAMM").sum()
    assert calls["n_supported"].sum() > 0.8 * calls["n_lamm"].sum()
    car = pd.read_csv(results / "annotation" / "car.tsv", sep="\t").set_index("sample")
    assert set(car.loc[car["phase"] == "post", "reading"]) == {"CAR-T cells"}
    before = cells["sample"].isin(car.index[car["phase"] == "pre"])
    assert not (cells.loc[before, "car"] == "positive").any()
    unknown = (cells["population"] == "T_unknown_CAR").to_numpy()
    assert (cells.loc[unknown, "car"] == "unknown").all()
    assert not (unknown & before).any()
    assert car.loc[car["phase"] == "post", "pct_missed"].between(0, 100).all()
    states = pd.read_csv(results / "annotation" / "states.tsv", sep="\t")
    means = states.pivot(index="state", columns="population", values="mean")
    assert means.loc["LA_TAM", "Macrophage"] == means.loc["LA_TAM"].max()
    clusters = pd.read_csv(results / "annotation" / "clusters.tsv", sep="\t")
    assert {"pct_lamm", "CSF1R_per_10k", "CD68_pct", "CD1C_pct"} <= set(clusters)
    for figure in figure_names("quality", "cohort", "evidence", "associations"):
        for suffix in ("png", "pdf"):
            assert (results / "figures" / "cohort" / f"{figure}.{suffix}").stat().st_size > 1000
    for figure in figure_names("contrast", "neighborhoods", "axis"):
        assert (results / "figures" / "baseline" / f"{figure}.png").stat().st_size > 1000
    assert (results / "config.yaml").is_file()
    assert (results / "design" / "audit.tsv").is_file()


def test_each_table_has_exactly_the_columns_of_the_catalog(finished: Path) -> None:
    samples = read_sample_table(finished / "results" / "design" / "samples.tsv")
    names = {"contrast": CONTRASTS, "sample": samples["sample"], "channel": samples["channel"]}
    for name, table in read_catalog().items():
        if table.columns and name not in OPTIONAL:
            for path in expand(table.path, **names):
                found = read_columns(finished / "results" / path)
                assert not list(column_mistakes(table, found)), path


def test_cells_get_their_true_types_and_lamm_cells_are_found(finished: Path) -> None:
    cells = pd.read_parquet(finished / "results" / "annotation" / "cells.parquet")
    truth = pd.read_csv(finished / "truth" / "cells.tsv.gz", sep="\t")
    truth["cell"] = truth["sample"] + "_" + truth["barcode"]
    both = cells.merge(truth, on="cell", suffixes=("", "_true"))
    empty = both["is_empty"].astype(bool)
    assert empty.mean() < 0.05  # large droplets of ambient RNA; they have no true type
    single = both[(both["is_doublet"] == 0) & ~empty]
    lamm = single["cell_type_true"] == "LAMM"
    for reading, least in (("positive", 0.9), ("macrophage_like", 0.8)):
        called = single[f"lamm_{reading}"] >= 0.9
        true = single[f"is_{reading}"].astype(bool)
        assert called[~true].mean() < 0.01
        assert called[true].mean() > least
    other = single[~lamm & ~single["cell_type_true"].isin(["CAR_T", "Malignant_B"])]
    assert (other["cell_type"] == other["cell_type_true"]).mean() > 0.9


def test_the_cohort_object_holds_counts_labels_and_spaces(finished: Path) -> None:
    cohort = anndata.read_h5ad(finished / "results" / "cohort.h5ad")
    assert {"CSF1R", "CD14", "CD68", "CD3E"} <= set(cohort.var["feature_name"])
    assert cohort.var_names.str.startswith("ENSG").mean() > 0.9
    counts = cohort.raw.X
    assert (counts.data == np.rint(counts.data)).all()
    totals = cohort.obs["total_counts"].to_numpy()
    np.testing.assert_array_equal(np.asarray(counts.sum(axis=1)).ravel(), totals)
    expected = counts.multiply(1e4 / totals[:, None]).log1p()
    assert abs(cohort.X - expected).max() < 1e-4
    assert cohort.obsm["X_umap"].shape == (cohort.n_obs, 2)
    assert cohort.uns["X_joint"] == "X_pca_harmony"
    harmony = np.load(finished / "results" / "joint" / "harmony.npz")["space"]
    for name in ("X_pca_harmony", "X_joint"):
        assert np.array_equal(cohort.obsm[name], harmony)
    assert {"population", "lamm_macrophage_like", "response", "phase"} <= set(cohort.obs)


def test_the_report_is_one_file_with_every_figure_and_links_to_its_results(finished: Path) -> None:
    text = (finished / "results" / "report.html").read_text(encoding="utf-8")
    assert len(re.findall(r'src="data:image/png;base64,', text)) >= len(figure_names("cohort")) + 9
    links = re.findall(r'(?:src|href)="(?!data:|#|https://doi\.org)([^"]*)"', text)
    assert links  # to the files of the tables
    assert all((finished / "results" / link).is_file() for link in links)
    assert "odds ratio" in text
    assert "cannot give less than p = 0.1" in text  # three against three patients


def test_the_report_works_in_a_browser_on_a_phone_and_on_paper(finished: Path) -> None:
    report = finished / "results" / "report.html"
    with open_browser() as browser:
        check_report(browser, report, most_pages=30)
        for use in (
            reader.read_card,
            reader.use_tables,
            reader.point_at_figure,
            reader.color_cells,
            reader.explore_genes,
            reader.choose_colors,
        ):
            with open_page(browser, report) as page:
                use(page)
        with open_page(browser, report, width=PHONE) as page:
            reader.use_contents(page)


def test_a_run_says_what_made_it_and_how(finished: Path) -> None:
    made = json.loads((finished / "results" / "provenance.json").read_text(encoding="utf-8"))
    assert made["run"]["outcome"] == "finished"
    assert made["run"]["command"].startswith("snakemake ")
    assert {"samples", "patients", "annotation.panel"} <= {each["what"] for each in made["inputs"]}
    assert all(each.get("sha256") for each in made["inputs"])
    samples = read_sample_table(finished / "results" / "design" / "samples.tsv")["sample"]
    assert [each["sample"] for each in made["matrices"]] == samples.tolist()
    assert all(each["digest"] for each in made["matrices"])
    text = (finished / "results" / "methods.md").read_text(encoding="utf-8")
    assert f"{len(samples)} samples of " in text


def test_snakemakes_report_opens_with_the_result_and_says_what_each_figure_is(
    finished: Path, snakemake: Callable[..., Run], tmp_path: Path
) -> None:
    run = snakemake(finished, "--report", str(tmp_path / "made.zip"))
    assert run.code == 0, run.text[-2000:]
    assert not [line for line in run.text.splitlines() if "warning" in line.lower()]
    with ZipFile(tmp_path / "made.zip") as archive:
        text = archive.read("made/report.html").decode()
    items, categories = (
        json.JSONDecoder().raw_decode("{" + text.split(f"var {name} = {{")[1])[0]
        for name in ("results", "categories")
    )
    assert "LAMMscope: how the results were made" in text
    assert sorted(categories) == ["1 Report", "2 Contrasts", "3 Cohort"]
    assert categories.pop("1 Report") == {"Other": ["results/report.html"]}
    assert set(categories["2 Contrasts"]) == set(CONTRASTS)
    for parts in categories.values():
        for part, paths in parts.items():
            assert part != "Other"
            labels = [tuple(sorted(items[path]["labels"].items())) for path in paths]
            assert len(set(labels)) == len(labels) > 0
    assert all("<p>" in item["caption"] for item in items.values())


def test_a_second_run_does_nothing(finished: Path, snakemake: Callable[..., Run]) -> None:
    run = snakemake(finished)
    assert run.code == 0
    assert "Nothing to be done" in run.text


def test_other_choices_run_in_folders_of_their_own_and_nothing_of_the_run_again(
    finished: Path, snakemake: Callable[..., Run], tmp_path: Path
) -> None:
    config = tmp_path / "choices.yaml"
    config.write_text(
        "multiverse:\n  resolution: [0.5]\n  doublets: [kept]\n  probability: [0.6]\n"
        "  denominator: [all]\n"
    )
    run = snakemake(finished, "--dry-run", more_configs=(config,))
    assert run.code == 0, run.text[-2000:]
    assert "Multiverse: 16 specifications" in run.text
    jobs = planned(run.text)
    assert {name: n for name, n in jobs.items() if not name.endswith("_again")} == {
        **{"count_calls": 3, "test_multiverse": 1, "draw_multiverse": 1},
        **{"save_config": 1, "write_report": 1, "all": 1},
    }
    again = {name.removesuffix("_again"): n for name, n in jobs.items() if name.endswith("_again")}
    assert again["cluster_cells"] == again["annotate_cells"] == again["call_lamm"] == 3
    assert again["select_cells"] == again["embed_cells"] == again["integrate_harmony"] == 1
    assert again["find_neighbors"] == 1
    assert "select_genes" not in again  # quality limits are those of the run
    said = re.search(r"folders of\s+other\s+cells and calls, (\d+)\s+more\s+jobs", run.text)
    assert said
    assert int(said[1]) == sum(jobs.values()) - 3  # not the config, the report and `all`


def test_no_job_upstream_of_the_counts_sees_the_response(
    finished: Path, snakemake: Callable[..., Run], tmp_path: Path
) -> None:
    patients = pd.read_csv(finished / "patients.tsv", sep="\t")
    permuted = patients.assign(response=patients["response"].to_numpy()[::-1])
    permuted.to_csv(tmp_path / "patients.tsv", sep="\t", index=False)
    run = snakemake(finished, "--dry-run", "--config", f"patients={tmp_path / 'patients.tsv'}")
    assert run.code == 0, run.text[-2000:]
    downstream = {
        *(
            "audit_design",
            "test_abundance",
            "test_expression",
            "draw_quality",
            "draw_cohort",
            "draw_contrast",
        ),
        *("draw_evidence", "gather_cell_map", "save_samples", *STATISTICS),
        *("assemble_cohort", "write_report", "save_config", "all"),
    }
    assert "test_abundance" in planned(run.text)
    assert set(planned(run.text)) <= downstream


def test_a_new_contrast_reruns_statistics_and_report_only(
    finished: Path, snakemake: Callable[..., Run], tmp_path: Path
) -> None:
    config = tmp_path / "more.yaml"
    config.write_text(
        "contrasts:\n  sexes: {kind: between, column: sex, test: female, reference: male, "
        "where: {phase: pre}}\n  by_ldh: {kind: trend, column: ldh, log: true, "
        "where: {phase: pre}}\nprimary: {contrast: sexes}\n"
    )
    run = snakemake(finished, "--dry-run", more_configs=(config,))
    assert run.code == 0, run.text[-2000:]
    assert set(planned(run.text)) <= {
        *("audit_design", "test_abundance", "draw_contrast"),
        "test_expression",
        *STATISTICS,
        *("write_report", "save_config", "all"),
    }
    assert planned(run.text)["test_abundance"] == 1


def test_one_core_elsewhere_gives_the_same_bytes_as_two(
    finished: Path, snakemake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)
    targets = [
        *(f"results/joint/{name}" for name in ("pca.npz", "clusters.parquet", "umap.npz")),
        *(f"results/joint/{name}" for name in ("stability.tsv", "integration_scores.tsv")),
        *("results/annotation/cells.parquet", "results/annotation/markers.tsv"),
        *("results/abundance/baseline.tsv", "results/expression/baseline.tsv.gz"),
    ]
    before = {name: (finished / name).read_bytes() for name in targets}
    first = ("ingest_samples_001", "ingest_samples_002")
    run = snakemake(finished, *targets, "--forcerun", *first, "--printshellcmds", cores=1)
    assert run.code == 0, run.text[-4000:]
    assert planned(run.text)["ingest_samples"] == 2
    for name, content in before.items():
        assert (finished / name).read_bytes() == content, name
