"""Simulated cohorts agree with their truth and resemble 10x data."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse
from scipy.stats import gaussian_kde

from lammscope.simulate.__main__ import main
from lammscope.simulate.cohort import Cohort, simulate_cohort
from lammscope.simulate.droplets import MACROPHAGE_LIKE_TYPES, MONOCYTIC_TYPES, T_TYPES
from lammscope.simulate.plan import MYELOID_TYPES, CohortSettings, plan_samples
from lammscope.simulate.profiles import RESOURCES, lamm_profiles, read_programs

PROGRAMS = read_programs()
SMALL = CohortSettings(patients_per_arm=1, cells=60)
LOOK_ALIKES = [*MONOCYTIC_TYPES, "DC3", "cDC2", "CD4_T", "CD8_T", "Treg", "NK"]


class Demo:
    """The demo cohort with all its counts in memory, one row per barcode."""

    def __init__(self, cohort: Cohort) -> None:
        self.cohort = cohort
        self.counts = sparse.vstack(
            [read_counts(path) for path in cohort.samples["counts"]]
        ).tocsr()
        self.cells = cohort.cells.merge(
            cohort.samples[["sample", "patient", "timepoint"]], on="sample"
        ).merge(cohort.patients, on="patient")
        self.total = np.asarray(self.counts.sum(axis=1)).ravel()
        odd = self.cells["is_doublet"] | self.cells["is_empty"] | self.cells["is_dying"]
        self.healthy = ~odd.to_numpy()

    def gene(self, symbol: str) -> np.ndarray:
        """Return the counts of a gene in every barcode."""
        return self.counts[:, [PROGRAMS.position[symbol]]].toarray().ravel()

    def is_type(self, *names: str) -> np.ndarray:
        """Return which cells are healthy cells of some types."""
        return self.healthy & self.cells["cell_type"].isin(names).to_numpy()

    def pct_mt(self) -> np.ndarray:
        """Return the percentage of mitochondrial UMIs."""
        mitochondrial = self.counts[:, np.flatnonzero(PROGRAMS.mitochondrial)].sum(axis=1)
        return 100 * np.asarray(mitochondrial).ravel() / np.maximum(self.total, 1)


def read_counts(path: str | Path) -> sparse.csr_matrix:
    """Read barcodes x features of a 10x HDF5 file with h5py."""
    with h5py.File(path) as file:
        matrix = file["matrix"]
        n_features, n_barcodes = matrix["shape"][:]
        return sparse.csr_matrix(
            (matrix["data"][:], matrix["indices"][:], matrix["indptr"][:]),
            shape=(n_barcodes, n_features),
        )


def difference_of_arms(demo: Demo, values: Any, timepoint: str) -> float:
    """Return the mean of the values of non-responders' samples minus that of responders."""
    sheet = demo.cohort.samples.merge(demo.cohort.patients, on="patient").set_index("sample")
    own = sheet[sheet["timepoint"] == timepoint]
    is_test = own["response"].isin(["SD", "PD"])
    return float(values[own.index[is_test]].mean() - values[own.index[~is_test]].mean())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return Demo(simulate_cohort(CohortSettings(), tmp_path_factory.mktemp("demo")))


@pytest.fixture(scope="module")
def levels(demo: Demo) -> pd.DataFrame:
    """UMIs per 10,000 of healthy cells, cell types x genes."""
    rows = {}
    for name in PROGRAMS.types.index:
        chosen = demo.is_type(name)
        rows[name] = 1e4 * np.asarray(demo.counts[chosen].sum(axis=0)).ravel()
        rows[name] /= demo.total[chosen].sum()
    return pd.DataFrame.from_dict(rows, orient="index", columns=PROGRAMS.genes["symbol"])


def test_demo_has_the_size_that_the_documentation_says(demo: Demo) -> None:
    assert demo.cohort.patients["response"].value_counts().to_dict() == dict.fromkeys(
        ["CR", "PR", "SD", "PD"], 2
    )
    assert len(demo.cohort.samples) == 16
    assert 6000 < demo.healthy.sum() < 6800
    assert set(demo.cells.loc[demo.healthy, "cell_type"]) == set(PROGRAMS.types.index)
    monocytic = demo.is_type(*MONOCYTIC_TYPES).sum() / demo.healthy.sum()
    assert 0.22 < monocytic < 0.38
    arms = demo.cohort.patients.assign(arm=demo.cohort.patients["response"].isin(["CR", "PR"]))
    assert (pd.crosstab(arms["arm"], arms["product"]) == 2).all(axis=None)
    assert (pd.crosstab(arms["arm"], arms["sex"]) == 2).all(axis=None)


def test_same_seed_gives_the_same_bytes_whatever_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for threads in (1, 2):
        (tmp_path / str(threads)).mkdir()
        monkeypatch.chdir(tmp_path / str(threads))
        simulate_cohort(SMALL, "cohort", threads=threads)
        files = sorted(path for path in Path("cohort").rglob("*") if path.is_file())
        written.append({str(path): path.read_bytes() for path in files})
    assert len(written[0]) == 4 + 3 + 6  # matrices, sheets and config, truth
    assert written[0] == written[1]


def test_another_seed_gives_other_counts(tmp_path: Path) -> None:
    first = simulate_cohort(SMALL, tmp_path / "1")
    second = simulate_cohort(CohortSettings(patients_per_arm=1, cells=60, seed=2), tmp_path / "2")
    assert first.cells["barcode"].tolist() != second.cells["barcode"].tolist()


def test_macrophage_like_cells_are_lamm_cells_and_macrophages(demo: Demo) -> None:
    effects = demo.cohort.effects.set_index(["denominator", "population", "contrast"])
    row = effects.loc[("monocytic", "LAMM_macrophage_like", "baseline")]
    fractions = demo.cohort.composition.pivot(
        index="sample", columns="cell_type", values="fraction"
    )
    both = fractions[list(MACROPHAGE_LIKE_TYPES)].sum(axis=1)
    odds = (both / (fractions[list(MONOCYTIC_TYPES)].sum(axis=1) - both)).map(np.log)
    assert row["realised"] == pytest.approx(difference_of_arms(demo, odds, "baseline"))
    assert row["kind"] == "planted"
    assert np.isnan(row["planted"])  # less than the planted difference of LAMM cells alone
    single = ~demo.cells["is_doublet"]
    for column, members in (
        ("is_positive", MONOCYTIC_TYPES),
        ("is_macrophage_like", MACROPHAGE_LIKE_TYPES),
        ("is_lamm", ("LAMM",)),
    ):
        expected = single & demo.cells["cell_type"].isin(members)
        np.testing.assert_array_equal(demo.cells[column], expected, err_msg=column)


def test_truth_tables_say_what_was_planted_and_cells_show_it(demo: Demo) -> None:
    known = demo.cohort.effects.dropna(subset="planted").set_index("contrast")
    expected = {
        ("monocytic", "LAMM"): [1.5, 2.3, 0.8, 0.8],
        ("immune", "LAMM_positive"): [1.2, 1.2, 0, 0],
    }
    assert set(zip(known["denominator"], known["population"], strict=True)) == set(expected)
    counts = demo.cohort.composition.pivot(index="sample", columns="cell_type", values="n_cells")
    monocytic = counts[list(MONOCYTIC_TYPES)].sum(axis=1)
    immune = counts.drop(columns=["Malignant_B", "Platelet"]).sum(axis=1)
    inside = {"LAMM": (counts["LAMM"], monocytic), "LAMM_positive": (monocytic, immune)}
    for (_, population), values in expected.items():
        effects = known[known["population"] == population]
        contrasts = ["baseline", "on_treatment", "pre_to_post", "change"]
        assert effects["planted"].reindex(contrasts).tolist() == values
        assert (effects["realised"] - effects["planted"]).abs().max() < 0.75  # 3 standard errors
        n, total = inside[population]
        odds = np.log((n + 0.5) / (total - n + 0.5))
        for contrast, label in (("baseline", "baseline"), ("on_treatment", "day_7")):
            observed = difference_of_arms(demo, odds, label)
            assert observed == pytest.approx(effects.loc[contrast, "realised"], abs=0.5)


def test_a_null_cohort_plants_nothing_in_lamm(tmp_path: Path) -> None:
    assert main([str(tmp_path / "c"), "--patients", "1", "--cells", "40", "--null"]) == 0
    effects = pd.read_csv(tmp_path / "c" / "truth" / "effects.tsv", sep="\t")
    assert (effects["planted"].dropna() == 0).all()
    assert (effects.loc[effects["contrast"] == "baseline", "kind"] == "none").all()
    genes = pd.read_csv(tmp_path / "c" / "truth" / "lamm_genes.tsv", sep="\t")
    assert (genes["log2fc"] == 0).all()
    np.testing.assert_allclose(genes["level_responder"], genes["level_non_responder"])


def test_planted_fold_changes_stand_in_the_profiles_and_show_in_the_cells(demo: Demo) -> None:
    table = demo.cohort.lamm_genes
    captured = PROGRAMS.genes["symbol"][PROGRAMS.captured]
    assert {"CSF1R", "CD14", "CD68", "C1QA", "S100A8"} <= set(captured)
    assert set(captured).isdisjoint(table["symbol"])  # calls must not depend on the arm
    profiles = lamm_profiles(PROGRAMS, scale=1.0)
    for profile in profiles.values():
        assert profile.sum() == pytest.approx(10_000)
    at = [PROGRAMS.position[symbol] for symbol in table["symbol"]]
    np.testing.assert_allclose(
        np.log2(profiles["non_responder"][at] / profiles["responder"][at]), table["log2fc"]
    )
    lamm = demo.is_type("LAMM")
    is_test = demo.cells["response"].isin(["SD", "PD"]).to_numpy()
    umis, rate = {}, {}
    for arm, chosen in ((True, lamm & is_test), (False, lamm & ~is_test)):
        umis[arm] = np.asarray(demo.counts[chosen][:, at].sum(axis=0)).ravel()
        rate[arm] = umis[arm] / demo.total[chosen].sum()
    counted = np.minimum(umis[True], umis[False]) >= 10
    assert counted.sum() >= len(at) - 1  # LAMM cells hardly express IRF8
    observed = np.log2(rate[True][counted] / rate[False][counted])
    assert np.corrcoef(observed, table["log2fc"][counted])[0, 1] > 0.9


def test_depths_follow_the_medians_of_the_types(demo: Demo) -> None:
    for name, row in PROGRAMS.types.iterrows():
        median = np.median(demo.total[demo.is_type(str(name))])
        assert median == pytest.approx(row["depth"], rel=0.25), name
    depth = PROGRAMS.types["depth"] / PROGRAMS.types["depth"]["CD4_T"]
    assert 0.3 < depth["Platelet"] < depth["Neutrophil"] < 0.5
    assert 1.5 < depth["Classical_monocyte"] < depth["Macrophage"] < 3
    assert 4 < depth["Plasma"] < 6


def test_depth_multiplies_the_counts_of_every_cell(tmp_path: Path) -> None:
    medians = []
    for depth in (0.5, 2.0):
        droplets = replace(SMALL.droplets, depth=depth)
        cells = simulate_cohort(replace(SMALL, droplets=droplets), tmp_path / str(depth)).cells
        medians.append(cells.loc[~cells["is_empty"], "total_counts"].median())
    assert medians[1] / medians[0] == pytest.approx(4, rel=0.05)


# UMIs per 10,000, the range of real cells: blood monocytes of several chemistries, and macrophages
# of a breast cancer, a skin lymphoma and lymphoid organs (`python -m benchmarks.realism`).
REAL_LEVELS: dict[str, dict[str, tuple[float, float]]] = {
    "Classical_monocyte": {
        **{"CSF1R": (0.8, 1.5), "CD14": (3.5, 8.3), "CD68": (3.6, 5.7), "C1QA": (0, 1)},
        **{"APOE": (0, 1), "S100A8": (60, 115), "S100A9": (90, 200), "S100A12": (2, 11)},
        **{"VCAN": (4, 27), "FCN1": (12, 32), "LYZ": (100, 160), "FCGR3A": (0, 1)},
    },
    "Nonclassical_monocyte": {
        **{"CSF1R": (3, 4.5), "CD14": (0.4, 2), "CD68": (6, 11.2), "C1QA": (1, 10)},
        **{"APOE": (0, 1), "FCGR3A": (13, 35), "CDKN1C": (2.5, 11), "MS4A7": (8, 26)},
        **{"S100A8": (0, 5), "S100A9": (0.7, 17), "LYZ": (5, 30)},
    },
}
MACROPHAGE_LEVELS = {
    **{"CSF1R": (0.8, 2.6), "CD14": (2, 6), "CD68": (7.8, 15), "C1QA": (20, 35)},
    **{"C1QB": (16, 33), "C1QC": (13, 33), "APOE": (30, 85), "APOC1": (11, 25), "TREM2": (0, 1.6)},
    **{"CD163": (2, 5.5), "GPNMB": (1.5, 8.5), "FOLR2": (0.8, 3.8), "LGMN": (2, 11)},
    **{"MRC1": (0.4, 2), "FCGR3A": (3, 7.5), "S100A8": (1, 15), "S100A9": (1, 35)},
    **{"VCAN": (0, 1), "FCN1": (0, 2.7), "LYZ": (22, 55), "SPP1": (0, 82)},
}


def test_definers_and_state_genes_have_the_levels_of_real_cells(levels: Any) -> None:
    expected = REAL_LEVELS | dict.fromkeys(MACROPHAGE_LIKE_TYPES, MACROPHAGE_LEVELS)
    for name, genes in expected.items():
        for symbol, (low, high) in genes.items():
            assert low <= levels.loc[name, symbol] <= high, (name, symbol)
    others = levels.loc[["CD4_T", "NK"]]
    assert (others["CSF1R"] < 0.35).all()  # ambient molecules only
    assert (others["CD14"] < 0.4).all()


def test_the_capture_of_a_library_shows_in_its_cells(tmp_path: Path) -> None:
    settings = CohortSettings(patients_per_arm=1, cells=300, capture_range=4.0, capture_sd=0.0)
    settings = replace(settings, batch_strength=0.0, patient_strength=0.0)
    demo = Demo(simulate_cohort(settings, tmp_path))
    genes = [PROGRAMS.position[symbol] for symbol in ("S100A8", "S100A9", "VCAN", "FCN1")]
    chosen = demo.is_type("Classical_monocyte")
    seen = []
    for sample in demo.cohort.samples["sample"]:
        own = chosen & (demo.cells["sample"] == sample).to_numpy()
        seen.append(np.log(demo.counts[own][:, genes].sum() / demo.total[own].sum()))
    planted = np.log(demo.cohort.libraries["capture"].to_numpy(float))
    assert np.ptp(planted) > 0.5
    np.testing.assert_allclose(seen - np.mean(seen), planted - planted.mean(), atol=0.2)


def test_common_genes_have_the_levels_of_blood(levels: Any) -> None:
    assert 100 < levels.loc["CD4_T", "MALAT1"] < 400
    assert 50 < levels.loc["CD4_T", "TMSB4X"] < 180
    assert 6 < levels.loc["CD4_T", "CD3E"] < 14
    ribosomal = levels.columns.str.match(r"RP[LS]\d")
    share = levels.loc[:, ribosomal].sum(axis=1)
    assert 2500 < share["CD4_T"] < 4000
    assert 1300 < share["Classical_monocyte"] < 2800
    by_rank = np.sort(levels.loc["CD4_T"])[::-1]
    assert 4 < by_rank[200] < 9
    assert 0.8 < by_rank[1000] < 2
    assert (by_rank > 0).sum() > 12_000  # the long tail


def test_the_number_of_genes_grows_with_depth_as_in_10x_data(demo: Demo) -> None:
    t_cells = demo.is_type("CD4_T")
    n_genes = demo.counts[t_cells].getnnz(axis=1)
    assert 900 < np.median(n_genes) < 1600


def test_the_car_transcript_is_product_matched_and_absent_before_infusion(demo: Demo) -> None:
    before = (demo.cells["timepoint"] == "baseline").to_numpy()
    for product, feature in (("axi-cel", "FMC63-28Z"), ("tisa-cel", "FMC63-BBZ")):
        counts = demo.gene(feature)
        own = (demo.cells["product"] == product).to_numpy()
        assert counts[before | ~own].sum() == 0
        detected = counts[demo.is_type("CAR_T") & own] > 0
        assert 0.4 < detected.mean() < 0.95  # partial dropout
        others = demo.healthy & ~demo.is_type("CAR_T") & own & ~before
        assert (counts[others] > 0).mean() < 0.03  # ambient molecules
    assert not demo.is_type("CAR_T")[before].any()


def test_sex_genes_fit_the_patient(demo: Demo) -> None:
    female = (demo.cells["sex"] == "female").to_numpy()
    xist, y = demo.gene("XIST"), demo.gene("RPS4Y1") + demo.gene("DDX3Y")
    assert xist[~female].sum() == 0
    assert y[female].sum() == 0
    assert (xist[female & demo.healthy] > 0).mean() > 0.3
    assert (y[~female & demo.healthy] > 0).mean() > 0.6


def test_dying_cells_are_mitochondrial_and_small(demo: Demo) -> None:
    dying = demo.cells["is_dying"].to_numpy()
    pct_mt = demo.pct_mt()
    assert np.median(pct_mt[demo.healthy]) < 6
    assert (pct_mt[demo.healthy] < 15).mean() > 0.99
    log_odds = np.log((pct_mt + 0.5) / (100.5 - pct_mt))
    overlaps = []
    for sample in demo.cohort.samples["sample"]:
        own = (demo.cells["sample"] == sample).to_numpy()
        grid = np.linspace(-7, 5, 400)
        areas = [gaussian_kde(log_odds[own & chosen])(grid) for chosen in (dying, demo.healthy)]
        overlaps.append(np.minimum(*areas).sum() * (grid[1] - grid[0]))
    expected = CohortSettings().droplets.dying_overlap
    assert np.mean(overlaps) == pytest.approx(expected, abs=0.04)
    assert np.median(demo.total[dying]) < 0.5 * np.median(demo.total[demo.healthy])


def test_doublets_are_large_and_often_t_cell_with_monocyte(demo: Demo) -> None:
    doublets = demo.cells[demo.cells["is_doublet"]]
    assert 0.02 < len(doublets) / demo.healthy.sum() < 0.06
    assert doublets["total_counts"].median() > 1.6 * np.median(demo.total[demo.healthy])
    pairs = doublets[["cell_type", "second_type"]]
    mixed = pairs.isin(T_TYPES).any(axis=1) & pairs.isin(MONOCYTIC_TYPES).any(axis=1)
    assert mixed.mean() > 0.4
    assert not doublets["is_lamm"].any()
    assert (demo.cells.loc[~demo.cells["is_doublet"], "second_type"] == "").all()


def test_empty_droplets_hold_the_samples_own_mix(demo: Demo) -> None:
    empty = demo.cells["is_empty"].to_numpy()
    assert 0.15 < empty.sum() / demo.healthy.sum() < 0.25
    assert np.quantile(demo.total[empty], 0.1) > 80
    assert np.quantile(demo.total[empty], 0.9) < 500
    assert (demo.cells.loc[empty, "ambient_fraction"] == 1).all()
    soup = np.asarray(demo.counts[empty].sum(axis=0)).ravel()
    mix = np.asarray(demo.counts[demo.healthy].sum(axis=0)).ravel()
    assert np.corrcoef(np.sqrt(soup), np.sqrt(mix))[0, 1] > 0.95
    ambient = demo.cells.loc[demo.healthy, "ambient_fraction"]
    assert np.average(ambient, weights=demo.total[demo.healthy]) == pytest.approx(0.06, abs=0.01)


def test_t_cells_show_ambient_rna_as_in_real_blood(demo: Demo) -> None:
    t_cells = demo.is_type(*T_TYPES)
    seen = {symbol: (demo.gene(symbol)[t_cells] > 0).mean() for symbol in ("LYZ", "CD14")}
    assert 0.45 < seen["LYZ"] < 0.62
    assert 0.04 < seen["CD14"] < 0.14


def test_libraries_differ_more_than_chance(demo: Demo) -> None:
    chosen = demo.is_type("CD4_T")
    top = np.argsort(-np.asarray(demo.counts[chosen].sum(axis=0)).ravel())[:50]
    profiles = []
    for sample in demo.cohort.samples["sample"]:
        rows = chosen & (demo.cells["sample"] == sample).to_numpy()
        sums = np.asarray(demo.counts[rows].sum(axis=0)).ravel()
        profiles.append(np.log(sums[top] / sums.sum()))
    assert 0.15 < np.std(profiles, axis=0).mean() < 0.45


def test_types_are_told_apart_by_many_genes_and_not_by_one(demo: Demo) -> None:
    types = np.array(PROGRAMS.types.index)
    cells = np.flatnonzero(demo.healthy)
    names = demo.cells["cell_type"].to_numpy(dtype=object)[cells]
    counts = demo.counts[cells][:, np.flatnonzero(PROGRAMS.named)].toarray()
    logged = np.log1p(1e4 * counts / demo.total[cells][:, None])
    train = (demo.cells["patient"] <= "P04").to_numpy()[cells]
    centroids = np.array([logged[train & (names == name)].mean(axis=0) for name in types])
    spread = logged[train].std(axis=0) + 0.1
    centroids, scaled = centroids / spread, logged[~train] / spread
    distances = (centroids**2).sum(axis=1) - 2 * scaled @ centroids.T
    assert (types[distances.argmin(axis=1)] == names[~train]).mean() > 0.9

    for name in LOOK_ALIKES:
        own = names == name
        best = max(
            np.abs((counts[own] > limit).mean(axis=0) - (counts[~own] > limit).mean(axis=0)).max()
            for limit in (0, 1, 2, 5, 10)
        )
        assert (1 + best) / 2 < 0.97, name  # balanced accuracy


def test_programs_share_genes_between_look_alikes() -> None:
    level: Any = pd.DataFrame(
        PROGRAMS.levels, index=PROGRAMS.types.index, columns=PROGRAMS.genes["symbol"]
    )
    np.testing.assert_allclose(level.sum(axis=1), 10_000)
    assert (level.loc[["DC3", "Classical_monocyte"], ["CD14", "S100A8", "VCAN", "CD163"]] > 1).all(
        axis=None
    )
    assert (level.loc[["Macrophage", "LAMM"], ["C1QA", "CD163", "MAFB"]] > 0.5).all(axis=None)
    assert level.loc["Neutrophil", "S100A8"] > level.loc["Classical_monocyte", "S100A8"]
    alike = level.loc[["Nonclassical_monocyte", "Macrophage"], ["CSF1R", "MS4A7"]]
    assert (alike > 1.5 * level.loc["Classical_monocyte", ["CSF1R", "MS4A7"]]).all(axis=None)
    blocks = yaml.safe_load((RESOURCES / "programmes.yaml").read_text())["blocks"]
    identities = [name for name in blocks if name != "antigen_presentation"]
    assert all(20 <= len(blocks[name]) <= 80 for name in identities)


def test_matrices_are_10x_v3_files(demo: Demo) -> None:
    path = demo.cohort.samples["counts"].iloc[0]
    truth = demo.cohort.cells[demo.cohort.cells["sample"] == demo.cohort.samples["sample"].iloc[0]]
    with h5py.File(path) as file:
        assert file.attrs["filetype"] == "matrix"
        matrix = file["matrix"]
        assert set(matrix) == {"barcodes", "data", "features", "indices", "indptr", "shape"}
        assert set(matrix["features"]) == {"_all_tag_keys", "feature_type", "genome", "id", "name"}
        assert matrix["data"].dtype == np.int32
        assert matrix["data"][:].min() >= 1
        barcodes = matrix["barcodes"][:].astype(str).tolist()
        ids = matrix["features/id"][:].astype(str)
    assert barcodes == sorted(set(barcodes)) == truth["barcode"].tolist()
    assert all(len(barcode) == 18 and barcode.endswith("-1") for barcode in barcodes)
    assert ids[0].startswith("ENSG")
    assert len(set(ids)) == len(ids) == len(PROGRAMS.genes)
    counts = read_counts(path)
    assert counts.has_canonical_format
    np.testing.assert_array_equal(np.asarray(counts.sum(axis=1)).ravel(), truth["total_counts"])


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_scanpy_reads_the_matrices(demo: Demo) -> None:
    import scanpy

    path = demo.cohort.samples["counts"].iloc[0]
    read = scanpy.read_10x_h5(path)
    assert (read_counts(path) != read.X).nnz == 0
    assert "CSF1R" in read.var_names


def test_config_and_sheets_name_files_that_exist(demo: Demo) -> None:
    folder = Path(demo.cohort.samples["counts"].iloc[0]).parent.parent
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert set(config) == {"samples", "patients", "response", "timepoints", "survival"}
    samples = pd.read_csv(config["samples"], sep="\t")
    patients = pd.read_csv(config["patients"], sep="\t")
    assert all(Path(path).is_file() for path in samples["counts"])
    assert set(samples["patient"]) == set(patients["patient"])
    labels = config["timepoints"]
    assert set(samples["timepoint"]) == {*labels["pre"], *labels["post"]}
    assert set(patients["response"]) == {
        *config["response"]["responder"],
        *config["response"]["non_responder"],
    }


def test_lamm_or_all_myeloid_cells_can_be_left_out(tmp_path: Path) -> None:
    small = ["--patients", "1", "--cells", "40"]
    assert main([str(tmp_path / "a"), *small, "--no-lamm"]) == 0
    cells = pd.read_csv(tmp_path / "a" / "truth" / "cells.tsv.gz", sep="\t", keep_default_na=False)
    assert not cells[["cell_type", "second_type"]].isin(["LAMM"]).any(axis=None)
    assert main([str(tmp_path / "b"), *small, "--no-myeloid"]) == 0
    cells = pd.read_csv(tmp_path / "b" / "truth" / "cells.tsv.gz", sep="\t", keep_default_na=False)
    assert not cells[["cell_type", "second_type"]].isin(MYELOID_TYPES).any(axis=None)


def test_samples_can_be_missing(tmp_path: Path) -> None:
    _, samples = plan_samples(CohortSettings(patients_per_arm=3, missing_post=1))
    assert samples["phase"].value_counts().to_dict() == {"pre": 6, "post": 4}
    _, samples = plan_samples(CohortSettings(patients_per_arm=3, unpaired=True))
    assert samples["patient"].is_unique
    cohort = simulate_cohort(CohortSettings(patients_per_arm=1, cells=30, missing_post=1), tmp_path)
    realised = cohort.effects.set_index("contrast")["realised"]
    assert realised["change"].isna().all()
    assert realised["baseline"].notna().any()


def test_lamm_cells_without_distinctness_look_like_classical_monocytes(tmp_path: Path) -> None:
    settings = CohortSettings(patients_per_arm=1, cells=60, lamm_distinctness=0.0)
    cohort = simulate_cohort(settings, tmp_path)
    level = cohort.lamm_genes.set_index("symbol")
    middle = np.sqrt(level["level_responder"] * level["level_non_responder"])
    plain = PROGRAMS.levels[PROGRAMS.types.index.get_loc("Classical_monocyte")]
    assert middle["CD63"] == pytest.approx(plain[PROGRAMS.position["CD63"]], rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--patients", "0"], "patients per arm must be at least 1"),
        (["--cells", "3"], "cells per sample must be at least 20"),
        (["--patient-sd", "-1"], "must not be negative"),
        (["--lamm-fraction", "1.2"], "LAMM fraction must be above 0 and below 1"),
        (["--lamm-log-odds", "nan"], "must be finite numbers"),
        (["--doublets", "2"], "must be from 0 to 1"),
        (["--missing-post", "9"], "0 to all of an arm"),
        (["--threads", "0"], "threads must be at least 1"),
        (["--depth", "0"], "the depth must be above 0"),
        (["--capture-range", "0.5"], "range of capture must be a finite number of at least 1"),
        (["--capture-sd", "-1"], "must not be negative"),
        (["--monocytic-log-odds", "inf"], "must be finite numbers"),
        (["--seed", "-4"], "the seed must not be negative"),
        (["--patients", "few"], "invalid int value: 'few'"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path / "cohort"), *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "cohort").exists()


def test_a_folder_with_another_cohort_is_refused(tmp_path: Path) -> None:
    (tmp_path / "counts").mkdir()
    (tmp_path / "counts" / "mine.h5").touch()
    with pytest.raises(ValueError, match=r"another cohort \(mine.h5\); remove that folder"):
        simulate_cohort(SMALL, tmp_path)


def test_unknown_cell_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such cell type: Basophil"):
        simulate_cohort(CohortSettings(without=("Basophil",)), tmp_path)


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    for option in ("--patients", "--cells", "--lamm-log-odds", "--monocytic-log-odds", "--null"):
        assert option in text
    assert "invented" in text


def test_programs_with_an_unknown_gene_are_refused(tmp_path: Path) -> None:
    for name in ("genes.tsv.gz", "programmes.yaml"):
        (tmp_path / name).write_bytes((RESOURCES / name).read_bytes())
    path = tmp_path / "programmes.yaml"
    path.write_text(path.read_text().replace("CLEC9A: 3,", "CLEC9Q: 3,"))
    with pytest.raises(ValueError, match=r"no such gene in genes\.tsv\.gz: CLEC9Q"):
        read_programs(tmp_path)


@pytest.mark.real_data
def test_gene_table_agrees_with_a_real_feature_list(real_data: Callable[[str], Path]) -> None:
    path = next(iter(sorted(real_data("carpall").glob("*.h5"))))
    with h5py.File(path) as file:
        features = file["matrix/features"]
        real = dict(
            zip(features["id"][:].astype(str), features["name"][:].astype(str), strict=True)
        )
    genes = PROGRAMS.genes[~PROGRAMS.genes["gene"].isin(PROGRAMS.car.values())]
    assert [real[gene] for gene in genes["gene"]] == genes["symbol"].tolist()
    assert (RESOURCES / "genes.tsv.gz").stat().st_size < 400_000
