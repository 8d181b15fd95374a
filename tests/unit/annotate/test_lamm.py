"""LAMM calls: planted macrophages are found, ordinary monocytes stay quiet, real cells agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.lamm import MONOCYTIC, call_at, call_lamm
from lammscope.annotate.lamm_settings import CallSettings
from lammscope.annotate.macrophage_state import load_state_genes
from lammscope.joint.panel_counts import PanelCounts
from tests.unit import real_cohorts
from tests.unit.real_cohorts import DEFINERS, STATE_GENES, VETOES

REFERENCES = STATE_GENES.with_name("reference_levels.tsv")
SETTINGS: dict[str, Any] = {
    "definers": DEFINERS,
    "level": "macrophage_like",
    "probability": 0.9,
    "fold": 2,
    "prior_counts": 2,
    "dispersion": 0.02,
    "vetoes": VETOES,
}
STATE = load_state_genes(STATE_GENES)
SYMBOLS = list(
    dict.fromkeys(
        [*DEFINERS, *(gene for veto in VETOES.values() for gene in veto["genes"]), *STATE.symbols]
    )
)
QUIET = dict.fromkeys(SYMBOLS, 0.02)
# UMIs per 10,000, as in real cells. T cells have some of the monocytes' RNA: it is ambient.
T_CELL = {**QUIET, "CD14": 0.2, "CD68": 0.2, "CD3D": 9, "CD3E": 11, "CD3G": 4, "TRAC": 2}
T_CELL |= {"S100A8": 4, "S100A9": 5}
MONOCYTE = {**QUIET, "CSF1R": 1.3, "CD14": 7, "CD68": 4}
MONOCYTE |= {"S100A8": 80, "S100A9": 130, "S100A12": 8, "VCAN": 12, "FCN1": 18, "CSF3R": 4}
MONOCYTE |= {"SELL": 1.5, "CFP": 5, "LST1": 15, "LIPA": 1, "LGMN": 0.2, "NR1H3": 0.2, "C1QA": 0.3}
NONCLASSICAL = {**QUIET, "CSF1R": 4.4, "CD14": 1.3, "CD68": 9}
NONCLASSICAL |= {"S100A8": 4, "S100A9": 12, "FCN1": 10, "CFP": 5, "LST1": 40, "CDKN1C": 6}
NONCLASSICAL |= {"LIPA": 1.5, "NR1H3": 0.6, "C1QA": 1.5, "PLTP": 0.2, "FABP5": 0.6}
MACROPHAGE = {**QUIET, "CSF1R": 1.3, "CD14": 3.1, "CD68": 13}
MACROPHAGE |= {"C1QA": 25, "C1QB": 18, "C1QC": 20, "APOE": 50, "APOC1": 15, "SPP1": 10, "TREM2": 1}
MACROPHAGE |= {"MRC1": 0.7, "CD163": 1.5, "GPNMB": 4, "FOLR2": 1, "SELENOP": 5, "LGMN": 6}
MACROPHAGE |= {"LIPA": 4, "SLC40A1": 2, "VSIG4": 0.5, "PLTP": 1, "NR1H3": 0.8, "FABP5": 3}
MACROPHAGE |= {"S100A8": 5, "S100A9": 8, "LST1": 8, "FCN1": 1, "VCAN": 0.3, "CFP": 0.5}
NO_SIGNAL = {**T_CELL, "CD3D": 0.02, "CD3E": 0.02, "CD3G": 0.02, "TRAC": 0.02, "CD14": 0.1}
T_AND_MONOCYTE = {gene: (T_CELL[gene] + MONOCYTE[gene]) / 2 for gene in SYMBOLS}
ROLES = {
    "t_cell": (T_CELL, "T", "CD8_T"),
    "monocyte": (MONOCYTE, "monocytic", "Classical_monocyte"),
    "nonclassical": (NONCLASSICAL, "monocytic", "Nonclassical_monocyte"),
    "macrophage": (MACROPHAGE, "monocytic", "Macrophage"),
    "no_signal": (NO_SIGNAL, "monocytic", "Macrophage"),
}


def make_settings(**changes: Any) -> CallSettings:
    return CallSettings.read(
        {**SETTINGS, **changes}, references=REFERENCES, state_genes=STATE_GENES
    )


def plant(
    numbers: dict[str, int],
    *,
    depth: int = 2000,
    seed: int = 0,
    k: int = 20,
    mixing: float = 0.1,
    rates: dict[str, dict[str, float]] | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Cells of given roles in two samples; neighbors of the same role but for a share `mixing`."""
    rng = np.random.default_rng(seed)
    roles = np.repeat(list(numbers), list(numbers.values()))
    n_cells = len(roles)
    totals = rng.lognormal(np.log(depth), 0.3, n_cells).astype(int)
    profiles = {role: profile for role, (profile, _, _) in ROLES.items()} | (rates or {})
    means = np.array([[profiles[role][gene] for gene in SYMBOLS] for role in roles])
    counts = rng.poisson(means * totals[:, None] / 1e4)
    about = [ROLES.get(role, ROLES["monocyte"]) for role in roles]
    cells = pd.DataFrame(
        {
            "lineage": [lineage for _, lineage, _ in about],
            "cell_type": [cell_type for _, _, cell_type in about],
            "sample": rng.choice(["a", "b"], n_cells),
            "patient": "P1",
            "group": "batch",
        }
    )
    samples = cells["sample"].to_numpy()
    return roles, {
        "counts": PanelCounts(sparse.csr_array(counts), SYMBOLS, totals),
        "neighbors": _draw_neighbors(roles, np.full(n_cells, ""), k=k, mixing=mixing, rng=rng),
        "sample_neighbors": _draw_neighbors(roles, samples, k=k, mixing=mixing, rng=rng),
        "cells": cells,
    }


def _draw_neighbors(
    roles: np.ndarray, groups: np.ndarray, *, k: int, mixing: float, rng: np.random.Generator
) -> np.ndarray:
    neighbors = np.empty((len(roles), k), dtype=np.int32)
    for row, (role, group) in enumerate(zip(roles, groups, strict=True)):
        near, alike = groups == group, roles == role
        same = rng.random(k) >= mixing
        neighbors[row] = rng.choice(np.flatnonzero(near), k)
        neighbors[row, same] = rng.choice(np.flatnonzero(near & alike), same.sum())
    return neighbors


def call(data: dict[str, Any], **changes: Any) -> pd.DataFrame:
    arguments = dict(data)
    return call_lamm(arguments.pop("counts"), settings=make_settings(**changes), **arguments)


ORDINARY = {"t_cell": 400, "monocyte": 300, "nonclassical": 60}


@pytest.mark.parametrize(("depth", "share"), [(1500, 0.65), (2500, 0.9), (4000, 0.95)])
def test_a_planted_population_is_found(depth: int, share: float) -> None:
    roles, data = plant({**ORDINARY, "macrophage": 200}, depth=depth)
    calls = call(data)
    planted = roles == "macrophage"
    assert (calls["lamm_call"][planted] == "not_LAMM").mean() <= 0.02
    assert (calls["lamm_call"][planted] == "LAMM").mean() >= share
    assert (calls["lamm_call"][~planted] == "LAMM").sum() == 0


def test_a_gate_per_cell_misses_planted_cells_and_takes_ordinary_ones() -> None:
    for depth, missed in ((700, 0.9), (4000, 0.5)):
        roles, data = plant({**ORDINARY, "macrophage": 200}, depth=depth)
        planted, ordinary = roles == "macrophage", roles == "monocyte"
        gate = (data["counts"].matrix[:, :3].toarray() > 0).all(axis=1)
        called = (call(data)["lamm_call"] == "LAMM").to_numpy()
        assert 1 - gate[planted].mean() >= missed
        assert called[planted].mean() > gate[planted].mean()
        assert called[ordinary].sum() == 0
    assert gate[ordinary].mean() > 0.2  # the deeper the data, the more ordinary monocytes it takes


def test_ordinary_monocytes_are_positive_and_never_macrophage_like() -> None:
    roles, data = plant(ORDINARY)
    calls = call(data)
    ordinary = np.isin(roles, ["monocyte", "nonclassical"])
    assert (calls["lamm_positive"][ordinary] >= 0.9).mean() >= 0.95
    assert (calls["lamm_call"] == "LAMM").sum() == 0
    assert (calls["lamm_call"][ordinary] == "uncertain").mean() <= 0.02
    positive = call(data, level="positive")
    assert (positive["lamm_call"][ordinary] == "LAMM").mean() >= 0.95


def test_cells_outside_the_lineage_are_never_called() -> None:
    roles, data = plant({**ORDINARY, "macrophage": 60})
    outside = call(data)[roles == "t_cell"]
    assert (outside["lamm_call"] == "not_LAMM").all()
    assert (outside[["lamm_positive", "lamm_macrophage_like"]] == 0).all(axis=None)
    assert outside["lamm_score"].isna().all()


def test_dropout_makes_calls_uncertain_before_it_makes_them_wrong() -> None:
    shares = {}
    for depth in (4000, 250, 100):
        roles, data = plant({**ORDINARY, "macrophage": 200}, depth=depth)
        calls = call(data)["lamm_call"]
        shares[depth] = (calls[roles == "macrophage"] == "LAMM").mean()
        assert (calls[roles != "macrophage"] == "LAMM").sum() == 0
        assert (calls[roles == "macrophage"] == "not_LAMM").mean() <= 0.1
    assert shares[4000] > shares[250] > shares[100]


def test_the_score_orders_populations() -> None:
    roles, data = plant({**ORDINARY, "macrophage": 60})
    score = call(data)["lamm_score"].groupby(roles).median()
    assert score["macrophage"] > 0 > score["nonclassical"] > score["monocyte"]


def test_macrophage_like_is_never_more_probable_than_positive() -> None:
    _, data = plant({**ORDINARY, "macrophage": 60}, depth=300)
    calls = call(data)
    assert (calls["lamm_macrophage_like"] <= calls["lamm_positive"]).all()
    assert (calls["lamm_macrophage_like"] < calls["lamm_positive"]).any()


def test_ambient_rna_of_macrophages_makes_no_macrophages() -> None:
    """Every cell of the samples has a tenth of the RNA of macrophages."""
    rates = {
        role: {gene: 0.9 * ROLES[role][0][gene] + 0.1 * MACROPHAGE[gene] for gene in SYMBOLS}
        for role in ORDINARY
    }
    roles, data = plant(ORDINARY, depth=4000, rates=rates)
    assert (call(data)["lamm_call"] == "LAMM").sum() == 0
    _, clean = plant(ORDINARY, depth=4000)
    monocytes = roles == "monocyte"
    shift = call(data)["lamm_score"] - call(clean)["lamm_score"]
    assert abs(shift[monocytes].median()) < 0.1


def test_other_groups_of_libraries_do_not_change_a_score_or_the_state() -> None:
    roles, data = plant({**ORDINARY, "macrophage": 60})
    cells = data["cells"].assign(group=data["cells"]["sample"])
    same = (cells["sample"] == "a").to_numpy()
    found = call({**data, "cells": cells})
    of_others = {"monocyte": MACROPHAGE, "nonclassical": MACROPHAGE}
    _, other = plant({**ORDINARY, "macrophage": 60}, rates=of_others)
    mixed = np.where(
        same[:, None], data["counts"].matrix.toarray(), other["counts"].matrix.toarray()
    )
    changed = PanelCounts(sparse.csr_array(mixed), SYMBOLS, data["counts"].totals)
    again = call({**data, "counts": changed, "cells": cells})
    scores = [table["lamm_score"][same & (roles != "t_cell")] for table in (found, again)]
    assert scores[0].tolist() == scores[1].tolist()
    called = [(table["lamm_call"][same] == "LAMM").sum() for table in (found, again)]
    assert called[0] == called[1] > 0


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_the_order_of_cells_changes_nothing(seed: int) -> None:
    _, data = plant({"t_cell": 60, "monocyte": 60, "macrophage": 30}, seed=seed)
    order = np.random.default_rng(seed).permutation(len(data["cells"]))
    place = np.argsort(order)
    shuffled = {
        "counts": data["counts"].take(order),
        "cells": data["cells"].iloc[order].reset_index(drop=True),
    }
    for name in ("neighbors", "sample_neighbors"):
        shuffled[name] = place[data[name][order]].astype(np.int32)
    calls = call(data).iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(calls, call(shuffled))


def test_dense_neighborhoods_never_count_for_more_than_the_dispersion_allows() -> None:
    """A rate just over the limit stays uncertain, however deep the data."""
    rates = {"t_cell": {**T_CELL, "CD14": 4}, "edge": {**MONOCYTE, "CD14": 8.8}}
    roles, data = plant({"t_cell": 200, "edge": 80}, depth=100_000, rates=rates, mixing=0)
    edge = roles == "edge"
    unsure = call(data, level="positive")["lamm_call"][edge]
    assert (unsure == "uncertain").mean() > 0.9
    sure = call(data, level="positive", dispersion=1e-6)["lamm_call"][edge]
    assert (sure == "LAMM").mean() > 0.9


def test_no_monocytic_cells_give_an_empty_well_formed_result() -> None:
    _, data = plant({"t_cell": 50})
    calls = call(data)
    full = call(plant(ORDINARY)[1])
    assert calls.columns.tolist() == full.columns.tolist()
    assert calls.dtypes.tolist() == full.dtypes.tolist()
    assert set(calls["lamm_call"]) == {"not_LAMM"}
    assert len(calls) == 50


def test_only_monocytic_cells_are_called_as_well() -> None:
    roles, data = plant({"monocyte": 100, "macrophage": 50})
    calls = call(data)
    assert (calls["lamm_call"][roles == "macrophage"] == "LAMM").mean() >= 0.9


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("dc3", {"CD1C": 6, "FCER1A": 6}),
        ("neutrophil", {"FCGR3B": 10, "CXCR2": 4}),
        ("platelet", {"PPBP": 60, "PF4": 30}),
        ("progenitor", {"MPO": 9, "AZU1": 5}),
    ],
)
def test_look_alikes_are_vetoed_with_their_reason(reason: str, changes: dict[str, int]) -> None:
    roles, data = plant(
        {**ORDINARY, "alike": 60}, depth=4000, rates={"alike": {**MACROPHAGE, **changes}}
    )
    calls = call(data)
    alike = roles == "alike"
    assert (calls["lamm_veto"][alike] == reason).mean() > 0.9
    assert (calls["lamm_call"][alike] == "LAMM").sum() <= 3
    assert (calls["lamm_veto"][~alike] == "").mean() > 0.98
    vetoed = calls[calls["lamm_veto"] != ""]
    assert (vetoed[["lamm_positive", "lamm_macrophage_like"]] == 0).all(axis=None)


def test_doublets_of_t_cell_and_monocyte_are_vetoed_by_their_own_transcripts() -> None:
    numbers, rates = {**ORDINARY, "doublet": 40}, {"doublet": T_AND_MONOCYTE}
    roles, data = plant(numbers, depth=3000, mixing=0.6, rates=rates)
    _, second = plant(numbers, depth=3000, mixing=0.6, rates=rates, seed=1)
    doublets = roles == "doublet"  # they hold the RNA of two cells
    one, other = data["counts"], second["counts"]
    counts = one.matrix + sparse.csr_array(other.matrix * doublets[:, None])
    data["counts"] = PanelCounts(counts, SYMBOLS, one.totals + other.totals * doublets)
    calls = call(data)
    reason = calls["lamm_veto"].to_numpy()
    assert (reason[doublets] == "doublet_t_monocyte").mean() > 0.7
    assert (reason[np.isin(roles, ["monocyte", "nonclassical"])] == "").mean() > 0.98


def test_cells_with_nothing_above_ambient_are_vetoed_as_ambient() -> None:
    roles, data = plant({**ORDINARY, "no_signal": 60}, depth=10_000, mixing=0)
    calls = call(data)
    assert (calls["lamm_veto"][roles == "no_signal"] == "ambient").mean() > 0.9
    assert (calls["lamm_veto"][roles == "monocyte"] == "ambient").sum() == 0


def test_the_first_veto_that_holds_is_the_reason() -> None:
    both = {**MACROPHAGE, "CD1C": 8, "FCER1A": 8, "FCGR3B": 15, "CXCR2": 8}
    roles, data = plant({"t_cell": 100, "both": 60}, depth=4000, rates={"both": both})
    alike = roles == "both"
    assert (call(data)["lamm_veto"][alike] == "dc3").mean() > 0.9
    reverse = {name: VETOES[name] for name in ("neutrophil", "dc3")}
    swapped = call(data, vetoes=reverse)["lamm_veto"][alike]
    assert (swapped == "neutrophil").mean() > 0.9


def test_calls_at_a_probability_leave_the_middle_uncertain() -> None:
    calls = call_at(np.array([0.0, 0.1, 0.11, 0.89, 0.9, 1.0]), probability=0.9)
    assert calls.tolist() == ["not_LAMM"] * 2 + ["uncertain"] * 2 + ["LAMM"] * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"definers": ["CSFR1"]}, r"CSFR1 is not a gene of any sample \(similar names: CSF1R"),
        ({"definers": ["CSF1R", "CD1C"]}, "no level of CD1C in non_myeloid; add a row"),
    ],
)
def test_definers_that_cannot_be_called_are_refused_with_a_remedy(
    changes: dict[str, list[str]], message: str
) -> None:
    _, data = plant({"t_cell": 20, "monocyte": 20})
    with pytest.raises(ValueError, match=message):
        call(data, **changes)


def real_calls(cohort: real_cohorts.Cohort) -> pd.DataFrame:
    cells = cohort.cells.assign(group=cohort.cells["sample"])
    near = lineage_neighbors(
        cohort.space,
        cells=cells,
        lineage=MONOCYTIC,
        within="sample",
        n_neighbors=20,
        seed=1,
        threads=2,
    )
    return call(
        {
            "counts": cohort.counts,
            "neighbors": cohort.neighbors,
            "sample_neighbors": near,
            "cells": cells,
        }
    )


@pytest.mark.real_data
def test_bead_purified_monocytes_are_positive_and_lymphocytes_are_not(
    real_data: Callable[[str], Path],
) -> None:
    cohort = real_cohorts.pbmc_facs(real_data("pbmc_facs"))
    calls = real_calls(cohort)
    beads = cohort.cells["celltype"] == "CD14+ Monocyte"
    monocytic = cohort.cells["lineage"] == "monocytic"
    positive = calls["lamm_positive"] >= 0.9
    assert positive[beads].mean() >= 0.8
    assert positive[beads & monocytic].mean() >= 0.9
    assert (calls["lamm_macrophage_like"][beads] >= 0.9).mean() <= 0.01
    lymphocytes = cohort.cells["celltype"].str.contains("CD4|CD8|CD19|CD56")
    assert positive[lymphocytes].mean() <= 0.002


@pytest.mark.real_data
def test_macrophages_of_tumors_and_lymphoid_organs_are_macrophage_like(
    real_data: Callable[[str], Path],
) -> None:
    folder = real_data("tumour_macrophages")
    for file, name in (("tnbc_wu_cid4465", "Macrophage"), ("lymphoid_spacexr", "Macrophages")):
        cohort = real_cohorts.tissue(folder / f"{file}.h5ad", "author_cell_type")
        like = real_calls(cohort)["lamm_macrophage_like"] >= 0.9
        macrophages = cohort.cells["label"] == name
        others = ~cohort.cells["label"].str.contains("Mono|Macro|DC|Myeloid")
        assert like[macrophages].mean() >= 0.7
        assert like[others].mean() <= 0.01


@pytest.mark.real_data
def test_monocytes_of_car_t_patients_are_positive_and_rarely_macrophage_like(
    real_data: Callable[[str], Path],
) -> None:
    cohort = real_cohorts.carpall(real_data("carpall"))
    calls, cells = real_calls(cohort), cohort.cells
    monocytic = cells["lineage"] == "monocytic"
    positive = calls["lamm_positive"] >= 0.9
    assert positive[monocytic].mean() >= 0.85
    assert (calls["lamm_macrophage_like"][monocytic] >= 0.9).mean() <= 0.02
    share = positive.groupby([cells["patient"], cells["sort"]]).mean()
    for patient in ("P02", "P08", "P10"):
        assert share[patient, "NoSo"] > share[patient, "CD3+CAT+"]
    assert positive[cells["source"] == "PROD"].mean() <= 0.005
