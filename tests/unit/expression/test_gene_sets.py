"""Competitive gene-set tests on pseudobulks, and their GMT files."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.cohort.checks import check_run
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.permutation import Permutations
from lammscope.core.gene_sets import GeneSet, read_gene_sets, read_signatures
from lammscope.expression.gene_sets import COLUMNS, match_genes
from lammscope.expression.gene_sets import test_gene_sets as run_test
from lammscope.expression.genes import test_expression as run_genes
from lammscope.expression.models import Model, plain_pseudobulks, population_model
from lammscope.expression.set_scores import PatientValues, patient_values, set_scores
from lammscope.stats.camera import camera
from lammscope.stats.voom import voom
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples
from tests.unit.example_pseudobulks import LIMMA, N_PLANTED, make_pseudobulk, shifted

PLANTED = GeneSet("planted", "here", tuple(f"GENE{i:02d}" for i in range(N_PLANTED)))
OTHERS = GeneSet("others", "there", tuple(f"GENE{i}" for i in range(300, 340)))
PERMUTATIONS = Permutations(max_exact=2000, n_draws=1000, seed=1)
SETTINGS: dict[str, Any] = {
    "min_cells": 10,
    "exclude": [],
    "max_ambient_share": 0.25,
    "min_genes": 3,
    "permutations": PERMUTATIONS,
}
SHEETS: dict[str, Any] = {"samples": "samples.tsv", "patients": "patients.tsv"}


@pytest.mark.parametrize(
    ("entry", "who"),
    [
        ({**BASELINE, "adjust": ["product"]}, {"response": "non_responder"}),
        (PAIRED, {"phase": "post"}),
        (CHANGE, {"response": "non_responder", "phase": "post"}),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_planted_set_is_found_with_its_direction_and_others_are_not(
    entry: dict[str, Any], who: dict[str, str], sign: int
) -> None:
    samples = make_samples(6)
    data = make_pseudobulk(samples, shifted(samples, sign * 1.0, **who))
    contrast = asked(entry, samples)
    table = run_test(data, Comparison(samples, contrast), gene_sets=[OTHERS, PLANTED], **SETTINGS)
    assert list(table.columns) == COLUMNS
    assert set(table["status"]) == {"ok"}
    rows: Any = table.set_index(["cell_type", "gene_set"])
    found = rows.loc[("LAMM", "planted")]
    assert found["direction"] == ("up" if sign > 0 else "down")
    assert np.sign(found["mean_log2fc"]) == sign
    assert found["fdr"] < 0.01
    assert found["source"] == "here"
    assert rows.loc[("NK", "planted"), "p"] > 0.01
    sizes = set(zip(table["gene_set"], table["n_genes"] + table["n_missing"], strict=True))
    assert sizes == {("planted", 30), ("others", 40)}


@pytest.mark.parametrize("entry", [BASELINE, PAIRED, CHANGE], ids=lambda e: e["kind"])
def test_random_sets_are_calibrated(entry: dict[str, Any]) -> None:
    samples = make_samples(6)
    rng = np.random.default_rng(3)
    gene_sets = [
        GeneSet(f"set {i}", "", tuple(f"GENE{g:02d}" for g in rng.choice(600, 20, replace=False)))
        for i in range(400)
    ]
    data = make_pseudobulk(samples, populations=("NK",))
    table = run_test(
        data, Comparison(samples, asked(entry, samples)), gene_sets=gene_sets, **SETTINGS
    )
    # Genes are independent here, while camera assumes a small correlation within sets.
    assert 0.015 <= (table["p"] < 0.05).mean() <= 0.08


def test_genes_weights_and_changes_are_those_of_the_expression_test() -> None:
    samples = make_samples(6)
    data = make_pseudobulk(samples, shifted(samples, 1.0, response="non_responder"))
    contrast = asked({**BASELINE, "adjust": ["product"]}, samples)
    genes: Any = run_genes(
        data,
        Comparison(samples, contrast),
        min_cells=10,
        exclude=[],
        max_ambient_share=0.25,
        **LIMMA,
    )
    genes = genes[genes["cell_type"] == "LAMM"].set_index("symbol")["log2fc"]
    table = run_test(data, Comparison(samples, contrast), gene_sets=[PLANTED, OTHERS], **SETTINGS)
    table = table[table["cell_type"] == "LAMM"].set_index("gene_set")
    for part in (PLANTED, OTHERS):
        tested = genes.reindex(part.genes).dropna()
        assert table.loc[part.name, "n_genes"] == len(tested)
        assert table.loc[part.name, "mean_log2fc"] == pytest.approx(tested.mean())
    model = population_model(
        plain_pseudobulks(data),
        "LAMM",
        Comparison(samples, contrast),
        min_cells=10,
        within_patients=True,
    )
    weighted = voom(model.counts, model.design, norm_factors=model.norm_factors)
    rows = {
        part.name: np.flatnonzero(np.isin(model.symbols, part.genes)) for part in (PLANTED, OTHERS)
    }
    expected = camera(
        weighted.y, rows, model.design.to_numpy(), model.at, weights=weighted.weights
    ).loc[table.index]
    np.testing.assert_allclose(table["p_camera"], expected["p"])
    np.testing.assert_allclose(table["fdr"], stats.false_discovery_control(table["p"]))


@pytest.mark.parametrize("entry", [BASELINE, PAIRED, CHANGE], ids=lambda e: e["kind"])
def test_p_is_that_of_a_t_test_of_patients_scores(entry: dict[str, Any]) -> None:
    samples = make_samples(5)
    samples = samples[~samples["sample"].isin(["n0_post", "r1_pre"])]
    data = make_pseudobulk(samples, populations=("LAMM",))
    comparison = Comparison(samples, asked(entry, samples))
    table = run_test(data, comparison, gene_sets=[PLANTED], **SETTINGS)
    model = population_model(
        plain_pseudobulks(data), "LAMM", comparison, min_cells=10, within_patients=True
    )
    assert isinstance(model, Model)
    patients = patient_values(model, comparison.contrast)
    rows = np.flatnonzero(np.isin(model.symbols, PLANTED.genes))
    scores = set_scores(patients, [rows])[0]
    arm = patients.units["arm"].to_numpy()
    if entry is PAIRED:
        expected = stats.ttest_1samp(scores, 0).pvalue
    else:
        test = stats.ttest_ind(scores[arm == "test"], scores[arm == "reference"], equal_var=False)
        expected = test.pvalue
    assert table["p"].item() == pytest.approx(expected)
    n_patients = {"between": 9, "paired": 8, "change": 8}[entry["kind"]]
    assert len(scores) == patients.units["patient"].nunique() == n_patients


def test_values_of_pairs_are_differences_of_the_same_patient() -> None:
    samples = make_samples(3).sample(frac=1, random_state=4)
    data = make_pseudobulk(samples, shifted(samples, 2.0, patient="n1", phase="post"))
    comparison = Comparison(samples, asked(PAIRED, samples))
    model = population_model(
        plain_pseudobulks(data), "LAMM", comparison, min_cells=10, within_patients=True
    )
    assert isinstance(model, Model)
    patients = patient_values(model, comparison.contrast)
    planted = np.isin(model.symbols, PLANTED.genes)
    shift = pd.Series(patients.values[planted].mean(axis=0), index=patients.units["patient"])
    assert shift.idxmax() == "n1"
    assert shift["n1"] > 1.5


def test_genes_that_respond_together_are_one_observation_of_a_patient() -> None:
    samples = make_samples(6)
    contrast = asked(BASELINE, samples)
    rng = np.random.default_rng(8)
    found = []
    for seed in range(40):
        state = rng.normal(0, 1, len(samples))  # of each sample, in 30 genes; no arm is higher
        data = make_pseudobulk(samples, state, seed=seed, populations=("LAMM",), n_genes=150)
        found.append(
            run_test(data, Comparison(samples, contrast), gene_sets=[PLANTED], **SETTINGS).iloc[0]
        )
    table = pd.DataFrame(found)
    assert (table["p_camera"] < 0.05).mean() > 0.4
    assert (table["p"] < 0.05).mean() <= 0.125
    assert (table["p_permutation"] < 0.05).mean() <= 0.125


def test_a_change_of_all_genes_is_not_one_of_a_set() -> None:
    rng = np.random.default_rng(5)
    units = pd.DataFrame({"patient": range(8), "arm": ["test", "reference"] * 4})
    design = np.column_stack([np.ones(8), units["arm"] == "test"])
    values = rng.normal(size=(300, 8))
    rows = [np.arange(20), np.arange(300 - 5)]
    level = np.linspace(0, 10, 300)
    scores, shifted_scores = (
        set_scores(PatientValues(values + of_patient, level, units, design, 1), rows)
        for of_patient in (0.0, 1e-6 * rng.normal(size=8))
    )
    np.testing.assert_allclose(scores, shifted_scores, atol=1e-4)
    of_all = np.arange(8) % 3  # much more than genes vary
    strong = set_scores(PatientValues(values + 100 * of_all, level, units, design, 1), rows)
    assert np.abs(strong).max() < 0.05


def test_controls_have_the_level_of_the_set() -> None:
    rng = np.random.default_rng(6)
    units = pd.DataFrame({"patient": range(8), "arm": ["test", "reference"] * 4})
    design = np.column_stack([np.ones(8), units["arm"] == "test"])
    level = np.linspace(0, 10, 1000)
    # genes with few counts are higher in shallow samples, all of them in the test arm
    low = (level < 2)[:, None] * np.where(units["arm"] == "test", 3.0, 0.0)
    values = rng.normal(size=(1000, 8)) + low
    scores = set_scores(PatientValues(values, level, units, design, 1), [np.arange(0, 100, 4)])[0]
    assert stats.ttest_ind(scores[::2], scores[1::2]).pvalue > 0.01
    plain = values[:100:4].mean(axis=0)
    assert stats.ttest_ind(plain[::2], plain[1::2]).pvalue < 1e-6


def test_a_set_has_no_p_if_an_arm_does_not_tell_its_spread() -> None:
    samples = make_samples(3)
    products = {"r0": "axi", "r1": "tisa", "r2": "liso"}
    samples["product"] = samples["patient"].map(products).fillna("axi")
    contrast = asked({**BASELINE, "adjust": ["product"]}, samples)
    data = make_pseudobulk(samples, populations=("LAMM",))
    table = run_test(data, Comparison(samples, contrast), gene_sets=[PLANTED, OTHERS], **SETTINGS)
    assert table["status"].tolist() == ["too_few_patients"] * 2
    assert table[["direction", "p", "fdr", "p_permutation", "p_floor"]].isna().all(axis=None)


def test_permutation_p_is_not_below_its_floor() -> None:
    samples = make_samples(3)
    data = make_pseudobulk(samples, shifted(samples, 2.0, response="non_responder"))
    contrast = asked(BASELINE, samples)
    table = run_test(data, Comparison(samples, contrast), gene_sets=[PLANTED, OTHERS], **SETTINGS)
    assert set(table["p_floor"]) == {0.1}  # 3 against 3
    assert table["p_permutation"].min() == pytest.approx(0.1)


def test_a_change_has_the_genes_of_the_expression_test_and_complete_patients() -> None:
    samples = make_samples(5)
    data = make_pseudobulk(samples, populations=("LAMM",))
    lonely = samples["sample"].isin(["n0_pre", "r1_post"])
    part = samples[~lonely]
    contrast = asked(CHANGE, part)
    genes = run_genes(
        data, Comparison(part, contrast), min_cells=10, exclude=[], max_ambient_share=0.25, **LIMMA
    )["symbol"]
    every = GeneSet("half", "", tuple(genes.sort_values()[::2]))
    table = run_test(data, Comparison(part, contrast), gene_sets=[every], **SETTINGS)
    assert table["n_missing"].item() == 0
    assert (table["n_test"].item(), table["n_reference"].item()) == (4, 4)
    whole = samples[~samples["patient"].isin(["n0", "r1"])]
    other = run_test(data, Comparison(whole, asked(CHANGE, whole)), gene_sets=[every], **SETTINGS)
    assert other["mean_log2fc"].item() == pytest.approx(table["mean_log2fc"].item(), abs=0.05)


def test_sets_with_too_few_genes_say_so_and_take_no_part_in_the_fdr() -> None:
    samples = make_samples(5)
    data = make_pseudobulk(samples, populations=("LAMM",), n_genes=100)
    gene_sets = [
        GeneSet("two", "", ("GENE50", "GENE51", "NO_SUCH")),
        GeneSet("none", "", ("NO_SUCH",)),
        GeneSet("every", "", tuple(data.var["symbol"])),
        GeneSet("some", "", tuple(data.var["symbol"][20:40])),
    ]
    contrast = asked(PAIRED, samples)
    table = run_test(data, Comparison(samples, contrast), gene_sets=gene_sets, **SETTINGS)
    table = table.set_index("gene_set")
    few = ["two", "none", "every"]
    assert table.loc[few, ["p_permutation", "p_camera"]].isna().all(axis=None)
    assert table.loc[few, "status"].tolist() == ["too_few_genes"] * 3
    assert table.loc[few, ["p", "fdr", "direction"]].isna().all(axis=None)
    assert table.loc[["two", "none"], "n_genes"].tolist() == [2, 0]
    assert table.loc[["two", "none"], "n_missing"].tolist() == [1, 1]
    assert table.loc["some", "fdr"] == table.loc["some", "p"]
    alone = run_test(data, Comparison(samples, contrast), gene_sets=gene_sets[:1], **SETTINGS)
    assert alone["status"].tolist() == ["too_few_genes"]


def test_excluded_genes_belong_to_no_set() -> None:
    samples = make_samples(5)
    data = make_pseudobulk(samples, populations=("LAMM",), n_genes=100)
    contrast = asked(PAIRED, samples)
    settings = SETTINGS | {"exclude": ["^GENE2[0-4]$"]}
    some = GeneSet("some", "", tuple(f"GENE{i}" for i in range(20, 40)))
    with_all, without = (
        run_test(data, Comparison(samples, contrast), gene_sets=[some], **used)["n_genes"].item()
        for used in (SETTINGS, settings)
    )
    assert with_all - without == 5


def test_no_set_gives_an_empty_table_with_its_columns() -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, n_genes=20)
    table = run_test(data, Comparison(samples, asked(PAIRED, samples)), gene_sets=[], **SETTINGS)
    assert len(table) == 0
    assert list(table.columns) == COLUMNS


def test_genes_are_matched_by_symbol_or_id_of_any_case_and_version() -> None:
    genes = np.array(["ENSG00000170458", "ENSG00000182578", "ENSG1", "ENSG2"])
    symbols = np.array(["CD14", "CSF1R", "C1orf54", "CD14"])
    part = GeneSet("s", "", ("cd14", "ensg00000182578.7", "C1ORF54", "CSF1R", "TNF"))
    rows = match_genes([part], genes=genes, symbols=symbols, level=np.array([1.0, 1, 1, 5]))
    assert rows["s"].tolist() == [1, 2, 3]  # of two rows of CD14 the higher; CSF1R once
    assert match_genes([], genes=genes, symbols=symbols, level=np.zeros(4)) == {}


# ---- GMT files ----


def test_shipped_sets_are_read_and_named_once(repository: Path) -> None:
    paths = sorted((repository / "resources" / "signatures").glob("*.gmt"))
    gene_sets = {part.name: part for part in read_gene_sets(paths)}
    assert gene_sets["LAMM_core"].genes == ("CSF1R", "CD14", "CD68")
    assert gene_sets["LAMM_proxy"].source.startswith("PROXY")
    assert all(part.source for part in gene_sets.values())
    aliases = {"IL23", "FASL", "PDL1", "IL8", "MACRO", "SEPP1", "CD123", "H2AFC", "HIST1H4C"}
    genes = [gene for part in gene_sets.values() for gene in part.genes]
    assert not aliases & set(genes)
    assert all(gene == gene.strip() and " " not in gene for gene in genes)
    assert read_signatures(paths)["LAMM_core"] == ["CSF1R", "CD14", "CD68"]


def test_gmt_files_as_others_write_them(tmp_path: Path) -> None:
    text = "One\t\tTNF,1.0\tIL6,0.5\t\r\n\nTwo\thttp://site\tENSG1\tTNF\tTNF\n"
    with gzip.open(tmp_path / "sets.gmt.gz", "wt", encoding="utf-8", newline="") as file:
        file.write(text)
    one, two = read_gene_sets([tmp_path / "sets.gmt.gz"])
    assert one == GeneSet("One", "", ("TNF", "IL6"))
    assert two == GeneSet("Two", "http://site", ("ENSG1", "TNF"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"gene,set\nTNF,a\n", "row 1: `gene,set` is not a line of a GMT file"),
        (b"A\tsource\tTNF\nB\tsource\n", "row 2: set `B` has no genes"),
        (b"A\tsource\tTNF\nA\tsource\tIL6\n", "row 2: set `A` appears twice"),
        (b"\tsource\tTNF\n", "has no name"),
        (b"A\tsource\t\xff\xfe\n", "not UTF-8"),
    ],
)
def test_what_is_no_gmt_file_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "mine.gmt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mine\.gmt") as caught:
        read_gene_sets([path])
    assert words in str(caught.value)


def test_every_mistake_of_gene_sets_is_told_at_the_start(
    relative_cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(relative_cohort)
    Path("broken.gmt").write_text("no tabs\nA\tsource\n")
    source = Path("mine.yaml")
    source.write_text("expression:\n  gene_sets:\n    - broken.gmt\n    - absent.gmt\n")
    config = SHEETS | {"expression": {"gene_sets": ["broken.gmt", "absent.gmt"]}}
    with pytest.raises(ValueError, match="absent") as caught:
        check_run(config, sources=[source])
    lines = str(caught.value).splitlines()
    assert (
        "mine.yaml: line 4: `expression.gene_sets` names `absent.gmt`, which does not exist"
        in (lines[0])
    )
    assert lines[1].startswith("broken.gmt: row 1: `no tabs` is not a line of a GMT file")
    assert lines[2].startswith("broken.gmt: row 2: set `A` has no genes")
    assert len(lines) == 3


def test_shipped_sets_and_none_are_fine(
    relative_cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(relative_cohort)
    assert len(check_run(SHEETS).config["expression"]["gene_sets"]) == 4
    none = SHEETS | {"expression": {"gene_sets": []}}
    assert check_run(none).config["expression"]["gene_sets"] == []
