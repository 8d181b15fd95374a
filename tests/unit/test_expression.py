"""Differential expression of pseudobulks, with the patient as the unit."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from lammscope.contrasts import Contrast, contrasts_from_config
from lammscope.expression import COLUMNS, excluded_pseudobulks
from lammscope.expression import test_expression as run_test

ARMS = {"test": "non_responder", "reference": "responder"}
BETWEEN = {"kind": "between", **ARMS, "where": {"phase": "pre"}}
PAIRED = {"kind": "paired", "test": "post", "reference": "pre"}
CHANGE = {"kind": "change", **ARMS}
SETTINGS = {"min_cells": 10, "exclude": ["^(XIST|GENE0[0-2])$"]}
N_GENES, N_PLANTED = 600, 30


def make_samples(n_per_arm: int = 6) -> pd.DataFrame:
    rows = [
        {
            "sample": f"{arm[0]}{i}_{phase}",
            "patient": f"{arm[0]}{i}",
            "timepoint": phase,
            "phase": phase,
            "response": arm,
            "product": "axi" if i % 2 else "tisa",
        }
        for arm in ("responder", "non_responder")
        for i in range(n_per_arm)
        for phase in ("pre", "post")
    ]
    return pd.DataFrame(rows).assign(compartment="blood", sort="none")


def make_pseudobulk(
    samples: pd.DataFrame, shift: np.ndarray, *, seed: int = 1, populations: tuple = ("LAMM", "NK")
) -> anndata.AnnData:
    """Negative binomial counts; `shift` is the log fold change of the first genes per sample."""
    rng = np.random.default_rng(seed)
    mean = rng.gamma(0.8, 60, N_GENES) + 5
    blocks, obs = [], []
    for population in populations:
        patients = {p: rng.normal(0, 0.3, N_GENES) for p in samples["patient"].unique()}
        for i, sample in enumerate(samples["sample"]):
            rate = mean * np.exp(patients[samples["patient"].iloc[i]]) * rng.lognormal(0, 0.3)
            rate[:N_PLANTED] *= np.exp(shift[i] if population == "LAMM" else 0.0)
            blocks.append(rng.negative_binomial(8, 8 / (8 + rate)))
            obs.append({"sample": sample, "population": population, "n_cells": 60})
    table = pd.DataFrame(obs)
    table.index = pd.Index(table["sample"] + "|" + table["population"])
    symbols = [f"GENE{i:02d}" for i in range(N_GENES)]
    var = pd.DataFrame({"symbol": symbols}, index=[f"ENSG{i:05d}" for i in range(N_GENES)])
    return anndata.AnnData(sparse.csr_matrix(np.array(blocks)), obs=table, var=var)


def asked(entry: dict, samples: pd.DataFrame) -> Contrast:
    return contrasts_from_config({"question": entry}, samples)[0]


def planted(table: pd.DataFrame, population: str = "LAMM") -> pd.DataFrame:
    part = table[table["cell_type"] == population]
    return part[part["gene"].isin([f"ENSG{i:05d}" for i in range(N_PLANTED)])]


@pytest.mark.parametrize(
    ("entry", "who"),
    [
        (BETWEEN, {"response": "non_responder"}),
        ({**BETWEEN, "adjust": ["product"]}, {"response": "non_responder"}),
        (PAIRED, {"phase": "post"}),
        (CHANGE, {"response": "non_responder", "phase": "post"}),
    ],
)
def test_planted_genes_are_found_and_others_are_calibrated(entry, who):
    samples = make_samples(8)
    hit = np.all([samples[column] == value for column, value in who.items()], axis=0)
    table = run_test(
        make_pseudobulk(samples, np.where(hit, 1.4, 0.0)),
        samples,
        asked(entry, samples),
        **SETTINGS,
    )
    assert list(table.columns) == COLUMNS
    assert set(table["status"]) == {"ok"}
    found = planted(table)
    assert (found["log2fc"] > 0).all()
    assert (found["fdr"] < 0.05).mean() > 0.7
    truth = 1.4 / np.log(2)
    covered = (found["ci_low"] < truth) & (truth < found["ci_high"])
    assert covered.mean() > 0.8
    null = table.loc[table["cell_type"] == "NK", "p"]
    low, high = stats.binom.ppf([0.0005, 0.9995], len(null), 0.05) / len(null)
    assert low <= (null < 0.05).mean() <= high


def test_excluded_genes_are_not_tested():
    samples = make_samples()
    data = make_pseudobulk(samples, np.zeros(len(samples)))
    table = run_test(data, samples, asked(BETWEEN, samples), **SETTINGS)
    assert not table["symbol"].isin(["GENE00", "GENE01", "GENE02"]).any()
    assert table["symbol"].eq("GENE03").any()
    car = run_test(
        data, samples, asked(BETWEEN, samples), min_cells=10, exclude=["gene03|GENE04", "GENE"]
    )
    assert not car["symbol"].isin(["GENE03", "GENE04"]).any()
    assert car["symbol"].eq("GENE05").any()  # a pattern names whole symbols


def test_replicates_are_summed_before_the_test():
    samples = make_samples()
    whole = make_pseudobulk(samples, np.zeros(len(samples)))
    twin = samples[samples["sample"] == "r1_pre"].assign(sample="r1_pre_b")
    rng = np.random.default_rng(2)
    counts = whole.X.toarray()
    rows = np.flatnonzero(whole.obs["sample"] == "r1_pre")
    half = rng.binomial(counts[rows], 0.4)
    extra = whole.obs.iloc[rows].assign(sample="r1_pre_b", n_cells=4)
    extra.index = extra.index + "_b"
    counts[rows] -= half
    split = anndata.AnnData(
        sparse.csr_matrix(np.vstack([counts, half])),
        obs=pd.concat([whole.obs, extra]),
        var=whole.var,
    )
    both = pd.concat([samples, twin], ignore_index=True)
    one = run_test(whole, samples, asked(BETWEEN, samples), **SETTINGS)
    pd.testing.assert_frame_equal(one, run_test(split, both, asked(BETWEEN, both), **SETTINGS))


def test_order_of_samples_changes_nothing():
    samples = make_samples()
    data = make_pseudobulk(samples, np.zeros(len(samples)))
    order = np.random.default_rng(1).permutation(data.n_obs)
    for entry in (BETWEEN, CHANGE):
        one = run_test(data, samples, asked(entry, samples), **SETTINGS)
        shuffled = samples.sample(frac=1, random_state=1)
        other = run_test(data[order].copy(), shuffled, asked(entry, samples), **SETTINGS)
        pd.testing.assert_frame_equal(one, other)


def test_small_pseudobulks_are_left_out_and_listed_by_arm():
    samples = make_samples(4)
    data = make_pseudobulk(samples, np.zeros(len(samples)))
    small = data.obs["sample"].isin(["n1_pre", "n2_pre"]) & (data.obs["population"] == "LAMM")
    data.obs.loc[small, "n_cells"] = 3
    contrast = asked(BETWEEN, samples)
    table = run_test(data, samples, contrast, **SETTINGS)
    lamm = table[table["cell_type"] == "LAMM"]
    assert lamm["status"].tolist() == ["too_few_patients"]
    assert (lamm["n_test"].item(), lamm["n_reference"].item()) == (2, 4)
    assert np.isnan(lamm["p"].item())
    assert set(table.loc[table["cell_type"] == "NK", "status"]) == {"ok"}
    lost = excluded_pseudobulks(data, samples, contrast, min_cells=10)
    assert lost[["cell_type", "patient", "arm"]].to_numpy().tolist() == [
        ["LAMM", "n1", "test"],
        ["LAMM", "n2", "test"],
    ]
    pairs = excluded_pseudobulks(data, samples, asked(PAIRED, samples), min_cells=10)
    assert (pairs["reason"] == "partner is missing").sum() == 2


def test_change_uses_patients_with_one_phase_but_counts_complete_ones():
    samples = make_samples(5)
    shift = np.where(
        (samples["response"] == "non_responder") & (samples["phase"] == "post"), 1.4, 0
    )
    data = make_pseudobulk(samples, shift)
    missing = ["n0_pre", "r1_post"]
    kept = samples[~samples["sample"].isin(missing)]
    part = data[~data.obs["sample"].isin(missing)].copy()
    table = run_test(part, kept, asked(CHANGE, kept), **SETTINGS)
    assert (set(table["n_test"]), set(table["n_reference"])) == ({4}, {4})
    assert (planted(table)["log2fc"] > 0).all()


def test_aliased_designs_and_empty_populations_have_a_status():
    samples = make_samples().assign(site=lambda t: t["response"].str[0])
    data = make_pseudobulk(samples, np.zeros(len(samples)))
    table = run_test(data, samples, asked({**BETWEEN, "adjust": ["site"]}, samples), **SETTINGS)
    assert set(table["status"]) == {"aliased"}
    empty = data.copy()
    empty.X = sparse.csr_matrix((empty.X.toarray() > 1000).astype(int))
    table = run_test(empty, samples, asked(BETWEEN, samples), **SETTINGS)
    assert set(table["status"]) == {"no_genes"}
    assert table["gene"].tolist() == ["", ""]


@pytest.mark.real_data
def test_interferon_genes_rise_in_stimulated_monocytes_of_three_donors(real_data):
    """Kang 2018: of another group's top genes, every one that can be tested goes up."""
    folder = real_data("kang_ifnb")
    cells = anndata.read_h5ad(folder / "kang_ifnb_2000.h5ad")
    name = cells.obs["donor"].astype(str) + "_" + cells.obs["stim"].astype(str)
    monocytes = cells.obs["kang_cell"] == "CD14+ Monocytes"
    labels = sorted(name[monocytes].unique())
    member = np.array([(name == label) & monocytes for label in labels], dtype=float)
    obs = pd.DataFrame(
        {"sample": labels, "population": "monocytes", "n_cells": member.sum(axis=1)}, index=labels
    )
    var = pd.DataFrame({"symbol": cells.var_names}, index=cells.var_names)
    data = anndata.AnnData(sparse.csr_matrix(member @ cells.X.toarray()), obs=obs, var=var)
    parts = pd.Series(labels).str.split("_", expand=True)
    samples = pd.DataFrame({"sample": labels, "patient": parts[0], "stim": parts[1]})
    samples = samples.assign(timepoint="day 0", compartment="blood", sort="none", phase=pd.NA)
    entry = {"kind": "paired", "column": "stim", "test": "stim", "reference": "ctrl"}
    table = run_test(data, samples, asked(entry, samples), min_cells=10, exclude=[])
    assert table["n_test"].max() == 3
    top = pd.read_csv(folder / "reference_top20_CD14Mono_stim_vs_ctrl.csv")["gene"]
    found = table[table["symbol"].isin(top)]
    assert len(found) >= 5
    assert (found["log2fc"] > 0).all()
    assert set(table["symbol"].head(20)) & {"CXCL10", "IFIT1", "IFIT2", "RSAD2", "CXCL11"}
