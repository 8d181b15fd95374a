"""LAMM calls: planted cells are found, ordinary ones stay quiet, real monocytes agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from lammscope.annotate.lamm import call_at, call_lamm, name_population
from lammscope.annotate.lamm_settings import CallSettings, load_references
from lammscope.joint.panel_counts import PanelCounts
from tests.unit import real_cohorts
from tests.unit.real_cohorts import DEFINERS, VETOES

REFERENCES = real_cohorts.PANEL.parents[1] / "lamm" / "reference_levels.tsv"
SETTINGS: dict[str, Any] = {
    "definers": DEFINERS,
    "level": "elevated",
    "probability": 0.9,
    "fold": 2,
    "prior_counts": 2,
    "dispersion": 0.02,
    "cell_dispersion": 0.25,
    "vetoes": VETOES,
}
SYMBOLS = [*DEFINERS, *(gene for veto in VETOES.values() for gene in veto["genes"]), "CAR"]
QUIET = dict.fromkeys(SYMBOLS, 0.02)
# Rates per 10,000; T cells carry a share of the monocytes' RNA, as in a library with ambient RNA.
T_CELL = {**QUIET, "CD14": 0.2, "CD68": 0.2, "CD3D": 9, "CD3E": 11, "CD3G": 4, "TRAC": 2}
MONOCYTE = {**QUIET, "CSF1R": 1.3, "CD14": 8, "CD68": 5.5}
NONCLASSICAL = {**QUIET, "CSF1R": 4.9, "CD14": 1.5, "CD68": 8}
STRONG = {**QUIET, "CSF1R": 13, "CD14": 15, "CD68": 20}
NO_SIGNAL = {**T_CELL, "CD3D": 0.02, "CD3E": 0.02, "CD3G": 0.02, "TRAC": 0.02, "CD14": 0.1}
T_AND_MONOCYTE = {gene: (T_CELL[gene] + MONOCYTE[gene]) / 2 for gene in SYMBOLS}
ROLES = {
    "t_cell": (T_CELL, "T", "CD8_T"),
    "monocyte": (MONOCYTE, "monocytic", "Classical_monocyte"),
    "nonclassical": (NONCLASSICAL, "monocytic", "Nonclassical_monocyte"),
    "strong": (STRONG, "monocytic", "Classical_monocyte"),
    "no_signal": (NO_SIGNAL, "monocytic", "Macrophage"),
}


@pytest.fixture(scope="module")
def references() -> pd.DataFrame:
    return load_references(REFERENCES)


def plant(
    numbers: dict[str, int],
    *,
    depth: int = 2000,
    seed: int = 0,
    k: int = 20,
    mixing: float = 0.1,
    rates: dict[str, dict[str, float]] | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Cells of given roles in two samples; neighbours of the same role but for a share `mixing`."""
    rng = np.random.default_rng(seed)
    roles = np.repeat(list(numbers), list(numbers.values()))
    n_cells = len(roles)
    totals = rng.lognormal(np.log(depth), 0.3, n_cells).astype(int)
    profiles = {role: profile for role, (profile, _, _) in ROLES.items()} | (rates or {})
    means = np.array([[profiles[role][gene] for gene in SYMBOLS] for role in roles])
    counts = rng.poisson(means * totals[:, None] / 1e4)
    neighbors = rng.integers(n_cells, size=(n_cells, k)).astype(np.int32)
    for row, role in enumerate(roles):
        same = rng.random(k) >= mixing
        neighbors[row, same] = rng.choice(np.flatnonzero(roles == role), same.sum())
    return roles, {
        "counts": PanelCounts(sparse.csr_array(counts), SYMBOLS, totals),
        "neighbors": neighbors,
        "lineage": np.array([ROLES.get(role, ROLES["monocyte"])[1] for role in roles]),
        "cell_type": np.array([ROLES.get(role, ROLES["monocyte"])[2] for role in roles]),
        "samples": rng.choice(["a", "b"], n_cells),
    }


def call(data: dict[str, Any], references: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    labels = dict(data)
    settings = CallSettings.from_config({**SETTINGS, **changes}, references=references)
    return call_lamm(labels.pop("counts"), settings=settings, **labels)


ORDINARY = {"t_cell": 400, "monocyte": 300, "nonclassical": 60}


@pytest.mark.parametrize(("depth", "share"), [(1500, 0.65), (2500, 0.9), (4000, 0.95)])
def test_a_planted_population_is_found(references: pd.DataFrame, depth: int, share: float) -> None:
    roles, data = plant({**ORDINARY, "strong": 200}, depth=depth)
    calls = call(data, references)
    planted = roles == "strong"
    assert (calls["lamm_call"][planted] == "not_LAMM").mean() <= 0.02
    assert (calls["lamm_call"][planted] == "LAMM").mean() >= share
    assert (calls["lamm_call"][~planted] == "LAMM").sum() == 0


def test_a_gate_per_cell_misses_planted_cells_and_takes_ordinary_ones(
    references: pd.DataFrame,
) -> None:
    for depth, missed in ((700, 0.6), (4000, 0.0)):
        roles, data = plant({**ORDINARY, "strong": 200}, depth=depth)
        planted, ordinary = roles == "strong", roles == "monocyte"
        gate = (data["counts"].matrix[:, :3].toarray() > 0).all(axis=1)
        called = (call(data, references)["lamm_call"] == "LAMM").to_numpy()
        assert 1 - gate[planted].mean() >= missed
        assert called[planted].mean() > gate[planted].mean()
        assert called[ordinary].sum() == 0
    assert gate[ordinary].mean() > 0.2  # the deeper the data, the more ordinary monocytes it takes


def test_ordinary_monocytes_are_positive_and_not_elevated(references: pd.DataFrame) -> None:
    roles, data = plant(ORDINARY)
    calls = call(data, references)
    ordinary = np.isin(roles, ["monocyte", "nonclassical"])
    assert (calls["lamm_positive"][ordinary] >= 0.9).mean() >= 0.95
    assert (calls["lamm_call"] == "LAMM").sum() == 0
    assert (calls["lamm_call"][ordinary] == "uncertain").mean() <= 0.02
    positive = call(data, references, level="positive")
    assert (positive["lamm_call"][ordinary] == "LAMM").mean() >= 0.95


def test_cells_outside_the_lineage_are_never_called(references: pd.DataFrame) -> None:
    roles, data = plant({**ORDINARY, "strong": 60})
    outside = call(data, references)[roles == "t_cell"]
    assert (outside["lamm_call"] == "not_LAMM").all()
    assert (outside[["lamm_positive", "lamm_elevated"]] == 0).all(axis=None)
    assert outside["lamm_score"].isna().all()


def test_dropout_makes_calls_uncertain_before_it_makes_them_wrong(references: pd.DataFrame) -> None:
    shares = {}
    for depth in (4000, 1000, 250):
        roles, data = plant({**ORDINARY, "strong": 60}, depth=depth)
        calls = call(data, references)["lamm_call"]
        shares[depth] = (calls[roles == "strong"] == "LAMM").mean()
        assert (calls[roles != "strong"] == "LAMM").sum() == 0
        assert (calls[roles == "strong"] == "not_LAMM").mean() <= 0.1
    assert shares[4000] >= shares[1000] >= shares[250]


def test_the_score_orders_populations(references: pd.DataFrame) -> None:
    roles, data = plant({**ORDINARY, "strong": 60})
    score = call(data, references)["lamm_score"].groupby(roles).median()
    assert score["strong"] > 0 > score["nonclassical"]
    assert score["strong"] > score["monocyte"]


def test_elevated_is_never_more_probable_than_positive_allows(references: pd.DataFrame) -> None:
    _, data = plant({**ORDINARY, "strong": 60}, depth=500)
    calls = call(data, references)
    called = calls["lamm_elevated"] >= 0.9
    assert (calls["lamm_positive"][called] >= 0.9).all()


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_the_order_of_cells_changes_nothing(seed: int) -> None:
    references = load_references(REFERENCES)
    _, data = plant({"t_cell": 60, "monocyte": 60, "strong": 30}, seed=seed)
    order = np.random.default_rng(seed).permutation(len(data["lineage"]))
    place = np.argsort(order)
    shuffled = {key: data[key][order] for key in ("lineage", "cell_type", "samples")}
    shuffled["counts"] = data["counts"].take(order)
    shuffled["neighbors"] = place[data["neighbors"][order]].astype(np.int32)
    calls = call(data, references).iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(calls, call({**data, **shuffled}, references))


def test_dense_neighborhoods_never_count_for_more_than_the_dispersion_allows(
    references: pd.DataFrame,
) -> None:
    """A rate just over the reference stays uncertain, however deep the data."""
    edge = {**QUIET, "CSF1R": 6.9, "CD14": 15, "CD68": 20}
    roles, data = plant({"t_cell": 100, "edge": 80}, depth=100_000, rates={"edge": edge})
    calls = call(data, references)
    assert (calls["lamm_call"][roles == "edge"] == "uncertain").mean() > 0.9


def test_no_monocytic_cells_give_an_empty_well_formed_result(references: pd.DataFrame) -> None:
    _, data = plant({"t_cell": 50})
    calls = call(data, references)
    full = call(plant(ORDINARY)[1], references)
    assert calls.columns.tolist() == full.columns.tolist()
    assert calls.dtypes.tolist() == full.dtypes.tolist()
    assert set(calls["lamm_call"]) == {"not_LAMM"}
    assert len(calls) == 50


def test_only_monocytic_cells_give_a_result_from_the_table(references: pd.DataFrame) -> None:
    roles, data = plant({"monocyte": 100, "strong": 50})
    calls = call(data, references)
    assert (calls["lamm_call"][roles == "strong"] == "LAMM").mean() >= 0.9


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("dc3", {"CD1C": 6, "FCER1A": 6}),
        ("neutrophil", {"FCGR3B": 10, "CXCR2": 4}),
        ("platelet", {"PPBP": 60, "PF4": 30}),
        ("progenitor", {"MPO": 9, "AZU1": 5}),
    ],
)
def test_look_alikes_are_vetoed_with_their_reason(
    references: pd.DataFrame, reason: str, changes: dict[str, int]
) -> None:
    roles, data = plant(
        {**ORDINARY, "alike": 60}, depth=4000, rates={"alike": {**STRONG, **changes}}
    )
    calls = call(data, references)
    alike = roles == "alike"
    assert (calls["lamm_veto"][alike] == reason).mean() > 0.9
    assert (calls["lamm_call"][alike] == "LAMM").sum() <= 3
    assert (calls["lamm_veto"][~alike] == "").mean() > 0.98
    vetoed = calls[calls["lamm_veto"] != ""]
    assert (vetoed[["lamm_positive", "lamm_elevated"]] == 0).all(axis=None)


def test_doublets_of_t_cell_and_monocyte_are_vetoed_by_their_own_transcripts(
    references: pd.DataFrame,
) -> None:
    numbers, rates = {**ORDINARY, "doublet": 40}, {"doublet": T_AND_MONOCYTE}
    roles, data = plant(numbers, depth=3000, mixing=0.6, rates=rates)
    _, second = plant(numbers, depth=3000, mixing=0.6, rates=rates, seed=1)
    doublets = roles == "doublet"  # they hold the RNA of two cells
    one, other = data["counts"], second["counts"]
    counts = one.matrix + sparse.csr_array(other.matrix * doublets[:, None])
    data["counts"] = PanelCounts(counts, SYMBOLS, one.totals + other.totals * doublets)
    calls = call(data, references)
    reason = calls["lamm_veto"].to_numpy()
    assert (reason[doublets] == "doublet_t_monocyte").mean() > 0.7
    assert (reason[np.isin(roles, ["monocyte", "nonclassical"])] == "").mean() > 0.98


def test_cells_with_nothing_above_ambient_are_vetoed_as_ambient(references: pd.DataFrame) -> None:
    roles, data = plant({**ORDINARY, "no_signal": 60}, depth=10_000, mixing=0)
    calls = call(data, references)
    assert (calls["lamm_veto"][roles == "no_signal"] == "ambient").mean() > 0.9
    assert (calls["lamm_veto"][roles == "monocyte"] == "ambient").sum() == 0


def test_the_first_veto_that_holds_is_the_reason(references: pd.DataFrame) -> None:
    both = {**STRONG, "CD1C": 8, "FCER1A": 8, "FCGR3B": 15, "CXCR2": 8}
    roles, data = plant({"t_cell": 100, "both": 60}, depth=4000, rates={"both": both})
    alike = roles == "both"
    assert (call(data, references)["lamm_veto"][alike] == "dc3").mean() > 0.9
    reverse = {name: VETOES[name] for name in ("neutrophil", "dc3")}
    swapped = call(data, references, vetoes=reverse)["lamm_veto"][alike]
    assert (swapped == "neutrophil").mean() > 0.9


def test_calls_at_a_probability_leave_the_middle_uncertain() -> None:
    calls = call_at(np.array([0.0, 0.1, 0.11, 0.89, 0.9, 1.0]), probability=0.9)
    assert calls.tolist() == ["not_LAMM"] * 2 + ["uncertain"] * 2 + ["LAMM"] * 2


def test_populations_are_lamm_where_called_and_types_elsewhere() -> None:
    calls = pd.Series(["LAMM", "uncertain", "not_LAMM"])
    named = name_population(["Macrophage", "Macrophage", "B"], lamm_call=calls)
    assert named.tolist() == ["LAMM", "Macrophage", "B"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"definers": ["CSFR1"]}, r"CSFR1 is not a gene of any sample \(similar names: CSF1R"),
        ({"definers": ["CSF1R", "CD1C"]}, "no level of CD1C in non_myeloid; add a row"),
    ],
)
def test_definers_that_cannot_be_called_are_refused_with_a_remedy(
    references: pd.DataFrame, changes: dict[str, list[str]], message: str
) -> None:
    _, data = plant({"t_cell": 20, "monocyte": 20})
    with pytest.raises(ValueError, match=message):
        call(data, references, **changes)


def real_calls(cohort: real_cohorts.Cohort, references: pd.DataFrame) -> pd.DataFrame:
    cells = cohort.cells
    data = {"counts": cohort.counts, "neighbors": cohort.neighbors}
    labels = {"lineage": cells["lineage"], "cell_type": cells["cell_type"]}
    return call({**data, **labels, "samples": cells["sample"]}, references)


@pytest.mark.real_data
def test_bead_purified_monocytes_are_positive_and_lymphocytes_are_not(
    real_data: Callable[[str], Path], references: pd.DataFrame
) -> None:
    cohort = real_cohorts.pbmc_facs(real_data("pbmc_facs"))
    calls = real_calls(cohort, references)
    beads = cohort.cells["celltype"] == "CD14+ Monocyte"
    monocytic = cohort.cells["lineage"] == "monocytic"
    positive = calls["lamm_positive"] >= 0.9
    assert positive[beads].mean() >= 0.8
    assert positive[beads & monocytic].mean() >= 0.9
    assert (calls["lamm_elevated"][beads] >= 0.9).mean() <= 0.05
    lymphocytes = cohort.cells["celltype"].str.contains("CD4|CD8|CD19|CD56")
    assert positive[lymphocytes].mean() <= 0.005


@pytest.mark.real_data
def test_monocytes_of_car_t_patients_are_positive_and_rarely_elevated(
    real_data: Callable[[str], Path], references: pd.DataFrame
) -> None:
    cohort = real_cohorts.carpall(real_data("carpall"))
    calls, cells = real_calls(cohort, references), cohort.cells
    monocytic = cells["lineage"] == "monocytic"
    positive = calls["lamm_positive"] >= 0.9
    assert positive[monocytic].mean() >= 0.85
    assert (calls["lamm_elevated"][monocytic] >= 0.9).mean() <= 0.02
    share = positive.groupby([cells["patient"], cells["sort"]]).mean()
    for patient in ("P02", "P08", "P10"):
        assert share[patient, "NoSo"] > share[patient, "CD3+CAT+"]
    assert positive[cells["source"] == "PROD"].mean() <= 0.005
