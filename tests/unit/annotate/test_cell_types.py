"""Marker panel and cell types: planted types are found, panels are checked, real labels agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse

from lammscope.annotate.cell_types import _are_ruled_out, _Scorer, annotate_cells
from lammscope.annotate.panel import (
    Panel,
    load_panel,
    missing_markers,
    panel_entries,
    panel_symbols,
)
from lammscope.core.names import UNASSIGNED
from lammscope.core.pooling import collapse_genes
from lammscope.joint.panel_counts import PanelCounts
from tests.unit import real_cohorts

POPULATIONS = {
    "T": ["CD4_T", "CD8_T", "Treg", "CAR_T", "other_T"],
    "NK": ["NK"],
    "B": ["B", "Plasma"],
    "malignant": ["Malignant_B"],
    "monocytic": ["Classical_monocyte", "Nonclassical_monocyte", "Macrophage"],
    "dendritic": ["cDC1", "cDC2", "DC3", "pDC"],
    "granulocytic": ["Neutrophil", "Basophil"],
    "mast": ["Mast"],
    "stromal": ["Fibroblast", "Mural"],
    "endothelial": ["Endothelial"],
    "epithelial": ["Epithelial", "Keratinocyte"],
    "platelet": ["Platelet"],
    "erythroid": ["Erythroid"],
    "progenitor": ["Progenitor"],
    UNASSIGNED: [UNASSIGNED],
}
CYCLING = {"MKI67", "TOP2A", "TYMS", "UBE2C", "CDK1", "CENPF", "BIRC5", "NUSAP1", "TPX2", "TK1"}
SETTINGS = {"min_score": 0.25, "min_margin": 0.03, "cluster_weight": 2000}


@pytest.fixture(scope="module")
def panel() -> Panel:
    return load_panel(real_cohorts.PANEL)


def expected_rates(panel: Panel, cell_type: str) -> np.ndarray:
    """Rates per 10,000 of a cell of this type: positive markers at level, others absent."""
    rates = dict.fromkeys(panel_symbols(panel), 0.02)
    for branch in panel.branches:
        for leaf in branch.types:
            if leaf.name == cell_type:
                for marker in (*branch.markers, *leaf.markers):
                    if marker.weight > 0:
                        rates[marker.gene] = marker.level
                for marker in leaf.markers:
                    if marker.weight < 0:
                        rates[marker.gene] = 0.02
    return np.array([rates[gene] for gene in panel_symbols(panel)])


def plant(
    panel: Panel,
    numbers: dict[str, int],
    *,
    depth: int = 2000,
    clusters: dict[str, str] | None = None,
    seed: int = 0,
    k: int = 15,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Cells of given types; neighbours within the type, `clusters` maps a type to its cluster."""
    rng = np.random.default_rng(seed)
    types = np.repeat(list(numbers), list(numbers.values()))
    totals = rng.lognormal(np.log(depth), 0.3, len(types)).astype(int)
    rates = np.array([expected_rates(panel, name) for name in types])
    counts = sparse.csr_array(rng.poisson(rates * totals[:, None] / 1e4))
    neighbors = np.empty((len(types), k), dtype=np.int32)
    for row, name in enumerate(types):
        others = np.flatnonzero((types == name) & (np.arange(len(types)) != row))
        neighbors[row] = rng.choice(others, k, replace=len(others) < k)
    labels = [(clusters or {}).get(name, name) for name in types]
    return types, {
        "counts": counts,
        "totals": totals,
        "symbols": panel_symbols(panel),
        "clusters": np.array(labels),
        "neighbors": neighbors,
        "samples": np.full(len(types), "s1"),
    }


def annotate(
    panel: Panel, data: dict[str, Any], **changes: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    arguments = {**data, **SETTINGS, "panel": panel, **changes}
    counts = PanelCounts(*(arguments.pop(name) for name in ("counts", "symbols", "totals")))
    return annotate_cells(counts, **arguments)


def test_the_panel_that_ships_names_every_population(panel: Panel) -> None:
    lineages = {name: lineage for lineage, names in POPULATIONS.items() for name in names}
    assert panel.lineages == lineages


def test_every_marker_of_the_panel_has_a_known_source(panel: Any) -> None:
    used = {marker.source for entry in panel_entries(panel) for marker in entry.markers}
    assert used == set(panel.sources)


def test_every_type_planted_at_low_depth_is_found(panel: Panel) -> None:
    types, data = plant(panel, {leaf.name: 40 for leaf in panel.types}, depth=1500)
    cells, clusters = annotate(panel, data)
    agreement = pd.Series(cells["cell_type"].to_numpy() == types).groupby(types).mean()
    assert agreement.min() > 0.9, agreement.to_dict()
    assert (clusters["cell_type"] == clusters["cluster"]).all()


def test_a_mixed_cluster_is_split_where_neighbors_agree(panel: Panel) -> None:
    numbers = {"cDC2": 300, "cDC1": 30, "CD4_T": 600, "Treg": 60, "Classical_monocyte": 200}
    mixed = {"cDC1": "dc", "cDC2": "dc", "CD4_T": "t", "Treg": "t"}
    types, data = plant(panel, numbers, clusters=mixed)
    cells, clusters = annotate(panel, data)
    for name in numbers:
        assert (cells["cell_type"][types == name] == name).mean() > 0.9, name
    named = clusters.set_index("cluster")["cell_type"]
    assert named["dc"] == "cDC2"
    assert named["t"] == "CD4_T"


def test_rare_cells_among_others_are_typed_by_their_own_counts(panel: Panel) -> None:
    numbers = {"B": 400, "CD4_T": 200, "Macrophage": 8, "Mast": 5}
    types, data = plant(panel, numbers, clusters={"Macrophage": "B", "Mast": "CD4_T"})
    rng = np.random.default_rng(5)
    for rare, common in (("Macrophage", "B"), ("Mast", "CD4_T")):
        rows, others = np.flatnonzero(types == rare), np.flatnonzero(types == common)
        data["neighbors"][rows] = rng.choice(others, (len(rows), 15))
    cells, _ = annotate(panel, data)
    for name in numbers:
        assert (cells["cell_type"][types == name] == name).mean() > 0.9, name


def test_a_cluster_that_spans_samples_does_not_decide_their_types(panel: Panel) -> None:
    numbers = {"Classical_monocyte": 400, "Macrophage": 40, "CD4_T": 100, "Fibroblast": 30}
    clusters = dict.fromkeys(("Macrophage", "Classical_monocyte"), "myeloid")
    types, data = plant(panel, numbers, clusters={**clusters, "Fibroblast": "CD4_T"})
    tissue = np.isin(types, ["Macrophage", "Fibroblast"])
    data["samples"] = np.where(tissue, "tumor", "blood")
    together, _ = annotate(panel, data)
    assert (together["cell_type"].to_numpy() == types).mean() > 0.98
    rows = np.flatnonzero(tissue)
    place = np.full(len(types), -1)
    place[rows] = np.arange(len(rows))
    counts = {name: data[name][rows] for name in ("counts", "totals", "clusters", "samples")}
    alone, _ = annotate(panel, {**data, **counts, "neighbors": place[data["neighbors"][rows]]})
    pd.testing.assert_frame_equal(together.iloc[rows].reset_index(drop=True), alone)


def test_neighbors_of_other_samples_are_ignored(panel: Panel) -> None:
    types, data = plant(panel, {"CD4_T": 60, "CD8_T": 60}, depth=400)
    data["samples"] = np.where(types == "CD4_T", "a", "b")
    cells, _ = annotate(panel, data)
    data["neighbors"][types == "CD4_T", 5:] = np.flatnonzero(types == "CD8_T")[:10]
    few = data["neighbors"].copy()
    few[types == "CD4_T", 5:] = -1
    foreign, _ = annotate(panel, data)
    fewer, _ = annotate(panel, {**data, "neighbors": few})
    pd.testing.assert_frame_equal(foreign, fewer)
    assert len(cells) == len(foreign)


def test_neighbors_of_other_clusters_are_ignored(panel: Panel) -> None:
    # A type with few cells in a sample has more neighbors than cells of its own.
    types, data = plant(panel, {"Neutrophil": 8, "Classical_monocyte": 300}, depth=600)
    others = np.flatnonzero(types == "Classical_monocyte")
    data["neighbors"][types == "Neutrophil", 7:] = others[:8]
    few = data["neighbors"].copy()
    few[types == "Neutrophil", 7:] = -1
    foreign, _ = annotate(panel, data)
    fewer, _ = annotate(panel, {**data, "neighbors": few})
    pd.testing.assert_frame_equal(foreign, fewer)
    assert set(foreign["cell_type"][types == "Neutrophil"]) == {"Neutrophil"}


@pytest.mark.parametrize(
    ("own", "ruled_out"),
    [
        ([0.9] * 5 + [0.0], [False] * 5 + [True]),  # such as a doublet
        ([0.0] * 4 + [0.9] * 2, [False] * 6),  # the levels of its markers do not fit this sample
        ([0.0, 0.0, 0.9], [True, True, False]),  # too few to tell
    ],
)
def test_counts_that_contradict_a_type_rule_out_a_cell_unless_most_do(
    panel: Panel, own: list[float], ruled_out: list[bool]
) -> None:
    scorer = _Scorer(panel, panel_symbols(panel))
    names = [leaf.name for leaf in panel.types]
    likely = np.zeros((len(own), len(names) + 1))
    likely[:, names.index("Neutrophil")] = own
    likely[:, names.index("B")] = 1 - np.array(own)
    types = pd.Series(["Neutrophil"] * len(own))
    assert _are_ruled_out(likely, scorer, types).tolist() == ruled_out


def test_branches_of_one_lineage_need_no_lead_over_each_other(panel: Panel) -> None:
    _, data = plant(panel, {"Fibroblast": 60, "Mural": 60})
    rates = (expected_rates(panel, "Fibroblast") + expected_rates(panel, "Mural")) / 2
    counts = np.random.default_rng(2).poisson(rates * data["totals"][:, None] / 1e4)
    data |= {"counts": sparse.csr_array(counts), "clusters": np.full(120, "stroma")}
    cells, _ = annotate(panel, data)
    assert set(cells["lineage"]) == {"stromal"}


def test_cycling_cells_keep_their_type(panel: Panel) -> None:
    types, data = plant(panel, {"CD8_T": 200, "Macrophage": 100})
    genes = panel_symbols(panel)
    rates = np.array([2.0 if gene in CYCLING else 0.0 for gene in genes])
    extra = np.zeros(data["counts"].shape, dtype=int)
    extra[:60] = np.random.default_rng(4).poisson(rates * data["totals"][:60, None] / 1e4)
    cells, _ = annotate(panel, data, counts=sparse.csr_array(data["counts"].toarray() + extra))
    assert (cells["lineage"][:200] == "T").all()
    assert (cells["cell_type"].to_numpy() == types).mean() > 0.97
    cycling = (cells["cell_state"] == "cycling").to_numpy()
    assert cycling[:60].mean() > 0.7
    assert cycling[60:].mean() < 0.03


def test_a_cohort_of_t_cells_only_has_nothing_else(panel: Panel) -> None:
    types, data = plant(panel, {"CD4_T": 300, "CD8_T": 300})
    cells, _ = annotate(panel, data)
    assert set(cells["lineage"]) == {"T"}
    assert (cells["cell_type"].to_numpy() == types).mean() > 0.95


def test_ambient_monocyte_rna_does_not_turn_t_cells_into_monocytes(panel: Panel) -> None:
    _, data = plant(panel, {"CD8_T": 300})
    rng = np.random.default_rng(1)
    soup = expected_rates(panel, "Classical_monocyte") * 0.1
    extra = rng.poisson(soup * data["totals"][:, None] / 1e4)
    cells, _ = annotate(panel, data, counts=sparse.csr_array(data["counts"].toarray() + extra))
    assert set(cells["lineage"]) == {"T"}


def test_cells_without_any_marker_stay_unassigned(panel: Panel) -> None:
    _, data = plant(panel, {"CD8_T": 100})
    cells, clusters = annotate(panel, data, counts=data["counts"] * 0)
    assert set(cells["cell_type"]) == {UNASSIGNED}
    assert set(cells["lineage"]) == {UNASSIGNED}
    assert clusters["cell_type"].tolist() == [UNASSIGNED]


def test_the_order_of_cells_changes_nothing(panel: Panel) -> None:
    _, data = plant(panel, {"CD4_T": 80, "Treg": 20, "B": 50}, clusters={"Treg": "CD4_T"})
    cells, clusters = annotate(panel, data)
    order = np.random.default_rng(3).permutation(len(cells))
    place = np.argsort(order)
    shuffled = {
        **data,
        "counts": data["counts"][order],
        "totals": data["totals"][order],
        "clusters": data["clusters"][order],
        "neighbors": place[data["neighbors"][order]].astype(np.int32),
    }
    cells_2, clusters_2 = annotate(panel, shuffled)
    pd.testing.assert_frame_equal(cells.iloc[order].reset_index(drop=True), cells_2)
    pd.testing.assert_frame_equal(clusters, clusters_2)


def test_genes_may_come_in_any_order_and_twice(panel: Panel) -> None:
    _, data = plant(panel, {"CD4_T": 80, "B": 50})
    cells, _ = annotate(panel, data)
    order = np.random.default_rng(3).permutation(len(data["symbols"]))
    symbols = [data["symbols"][column] for column in order]
    split = data["counts"].toarray()[:, order]
    first = split // 2
    again, _ = annotate(
        panel,
        data,
        counts=sparse.csr_array(np.hstack([first, split - first])),
        symbols=[*symbols, *symbols],
    )
    pd.testing.assert_frame_equal(cells, again)


def test_a_type_whose_markers_the_data_lack_is_dropped_and_listed(panel: Panel) -> None:
    types, data = plant(panel, {"CD4_T": 60, "Treg": 60, "B": 60})
    lacking = {"FOXP3", "IL2RA", "CTLA4", "IKZF2", "TIGIT", "RTKN2"}
    keep = [column for column, gene in enumerate(data["symbols"]) if gene not in lacking]
    symbols = [data["symbols"][column] for column in keep]
    missing = missing_markers(panel, symbols).set_index("entry")
    assert missing.loc["Treg", "dropped"]
    assert not missing.loc["CD4_T", "dropped"]
    cells, _ = annotate(panel, data, counts=data["counts"][:, keep], symbols=symbols)
    assert set(cells["lineage"][types == "Treg"]) == {"T"}
    assert "Treg" not in set(cells["cell_type"])


def test_collapsed_genes_follow_the_order_asked_for() -> None:
    counts = sparse.csr_array(np.array([[1, 2, 3], [4, 5, 6]]))
    picked = collapse_genes(counts, symbols=["A", "B", "A"], genes=["B", "C", "A"])
    assert picked.toarray().tolist() == [[2, 0, 4], [5, 0, 10]]


MARKER = {"gene": "CD3E", "weight": 1, "level": 10, "source": "a"}
BRANCH = {"positive": [MARKER], "types": {"T": {"lineage": "T"}}}
SMALL = {
    "name": "small",
    "min_present": 0.4,
    "sources": {"a": "A paper"},
    "branches": {"T": BRANCH},
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "should be a mapping"),
        ({**SMALL, "branch": {}}, "unknown key branch"),
        ({**SMALL, "name": ""}, "needs name"),
        ({**SMALL, "branches": {}}, "needs branches"),
        ({**SMALL, "min_present": 2}, "min_present is 2; give a number from 0 to 1"),
        ({**SMALL, "branches": {"T": {**BRANCH, "positive": []}}}, "no positive markers"),
        (
            {**SMALL, "branches": {"T": {**BRANCH, "positive": [{**MARKER, "source": "b"}]}}},
            r"branches.T.positive\[1\]: source b is not under `sources`",
        ),
        (
            {**SMALL, "branches": {"T": {**BRANCH, "positive": [{**MARKER, "weight": "x"}]}}},
            "weight is 'x'; give a number",
        ),
        (
            {**SMALL, "branches": {"T": {**BRANCH, "positive": [MARKER, MARKER]}}},
            "gene CD3E occurs twice",
        ),
        (
            {**SMALL, "branches": {"T": {**BRANCH, "fallback": {"type": "X", "below": 0.1}}}},
            "X is not a type of this branch",
        ),
        (
            {**SMALL, "branches": {"T": {**BRANCH, "types": {"T": {"lineage": "T"}, "U": {}}}}},
            "branches.T.types.U: needs lineage",
        ),
        (
            {
                **SMALL,
                "branches": {
                    "T": {**BRANCH, "types": {"T": {"lineage": "T"}, "U": {"lineage": "T"}}}
                },
            },
            "type T has no positive markers",
        ),
        ({**SMALL, "branches": {"T": BRANCH, "U": BRANCH}}, "type T occurs 2 times"),
        ({**SMALL, "states": {"cycling": {"types": {}}}}, "states.cycling: unknown key types"),
        ({**SMALL, "states": {"cycling": {"note": "x"}}}, "states.cycling: no positive markers"),
        (
            {
                **SMALL,
                "branches": {
                    "T": BRANCH,
                    "U": {"positive": [{**MARKER, "level": 9}], "types": {"U": {"lineage": "U"}}},
                },
            },
            "gene CD3E has the levels 10 and 9; give only one",
        ),
    ],
)
def test_a_wrong_panel_is_refused_with_file_entry_and_remedy(
    tmp_path: Path, content: list[int] | dict[str, Any], message: str
) -> None:
    path = tmp_path / "panel.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=message) as caught:
        load_panel(path)
    assert str(path) in str(caught.value)


def test_a_panel_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "panel.yaml"
    path.write_text("name: [unclosed")
    with pytest.raises(ValueError, match="not valid YAML"):
        load_panel(path)


def test_a_small_panel_of_the_users_works(tmp_path: Path) -> None:
    path = tmp_path / "panel.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    panel = load_panel(path)
    cells, _ = annotate_cells(
        PanelCounts(sparse.csr_array(np.array([[5], [4], [0]])), ["CD3E"], np.full(3, 2000)),
        clusters=["a", "a", "b"],
        neighbors=np.array([[1], [0], [2]], dtype=np.int32),
        samples=["s1", "s1", "s1"],
        panel=panel,
        **SETTINGS,
    )
    assert cells["cell_type"].tolist() == ["T", "T", UNASSIGNED]


def test_a_type_with_a_lead_is_none_until_it_has_it(tmp_path: Path) -> None:
    def marker(gene: str) -> dict[str, Any]:
        return {"gene": gene, "weight": 1, "level": 10, "source": "a"}

    def calls(lead: float) -> list[str]:
        branch = {
            "positive": [marker("LYZ")],
            "types": {
                "common": {"lineage": "monocytic", "positive": [marker("CD14"), marker("LYZ")]},
                "rare": {
                    "lineage": "dendritic",
                    "lead": lead,
                    "positive": [marker("CD1C"), marker("LYZ")],
                },
            },
        }
        path = tmp_path / "panel.yaml"
        path.write_text(yaml.safe_dump({**SMALL, "branches": {"myeloid": branch}}))
        counts = sparse.csr_array(np.array([[20, 2, 4], [20, 1, 9], [20, 8, 1]]))
        cells, _ = annotate_cells(
            PanelCounts(counts, ["LYZ", "CD14", "CD1C"], np.full(3, 10_000)),
            clusters=["a", "b", "c"],
            neighbors=np.full((3, 1), -1, dtype=np.int32),
            samples=["s1", "s1", "s1"],
            panel=load_panel(path),
            **SETTINGS,
        )
        return cells["cell_type"].tolist()

    assert calls(0) == ["rare", "rare", "common"]
    assert calls(0.2) == ["common", "rare", "common"]


@pytest.mark.real_data
def test_lineages_agree_with_bead_purified_blood(real_data: Callable[[str], Path]) -> None:
    cells = real_cohorts.pbmc_facs(real_data("pbmc_facs")).cells
    names = {"CD14+ Monocyte": "monocytic", "CD19+ B": "B", "CD34+": "progenitor"}
    names["CD56+ NK"] = "NK"
    truth = cells["celltype"].map(lambda label: names.get(label, "T"))
    agrees = cells["lineage"] == truth
    # The CD34+ purification is known to hold a third of other cells (Zheng 2017).
    assert agrees.mean() >= 0.93
    assert agrees[truth != "progenitor"].mean() >= 0.98
    assert agrees[truth == "monocytic"].mean() >= 0.93  # in this plain space; test_real has the own
    lymphocytes = truth.isin(["T", "NK", "B"])
    assert (cells.loc[lymphocytes, "lineage"] == "monocytic").mean() <= 0.01


@pytest.mark.real_data
def test_lineages_agree_with_the_labels_of_lupus_blood(real_data: Callable[[str], Path]) -> None:
    cells = real_cohorts.kang_ifnb(real_data("kang_ifnb")).cells
    names = dict.fromkeys(["CD4 Naive T", "CD4 Memory T", "CD8 T", "T activated"], "T")
    names |= {"B": "B", "B Activated": "B", "NK": "NK", "DC": "dendritic", "pDC": "dendritic"}
    names |= {"CD14 Mono": "monocytic", "CD16 Mono": "monocytic"}
    truth = cells["seurat_annotations"].map(names)
    agrees = (cells["lineage"] == truth)[truth.notna()]
    assert agrees.mean() >= 0.95


@pytest.mark.real_data
def test_stroma_and_macrophages_of_a_tumor_are_told_from_blood(
    real_data: Callable[[str], Path],
) -> None:
    path = real_data("tumour_macrophages") / "tnbc_wu_cid4465.h5ad"
    cells = real_cohorts.tissue(path, "author_cell_type").cells
    label, lineage = cells["label"], cells["lineage"]
    assert (lineage[label == "Macrophage"] == "monocytic").mean() >= 0.95
    assert (lineage[label == "Plasmablasts"] == "B").mean() >= 0.95
    for start in ("CAFs", "PVL", "Endothelial", "Cancer"):
        own = lineage[label.str.startswith(start)]
        tissue = ["stromal", "endothelial", "epithelial", UNASSIGNED]
        assert own.isin(tissue).mean() >= 0.95, start
    cycling = cells["cell_state"] == "cycling"
    assert cycling[label == "Cancer Cycling"].mean() >= 0.6
    assert cycling[~label.str.contains("Cycling")].mean() <= 0.03


@pytest.mark.real_data
def test_types_of_lymphoid_tissue_agree_with_the_labels(real_data: Callable[[str], Path]) -> None:
    path = real_data("tumour_macrophages") / "lymphoid_spacexr.h5ad"
    cells = real_cohorts.tissue(path, "author_cell_type").cells
    right = {"B": {"B", "malignant"}, "B_Plasma": {"B"}, "DC": {"dendritic"}, "VSMC": {"stromal"}}
    right |= {name: {"monocytic"} for name in ("Macrophages", "Monocytes")}
    right |= {"Endo": {"endothelial"}, "T_CD4": {"T"}, "T_CD8": {"T"}}
    for name, lineages in right.items():
        own = cells.loc[cells["label"] == name, "lineage"]
        assert own.isin(lineages).mean() >= 0.8, name


@pytest.mark.real_data
def test_a_macrophage_of_a_lymphoma_is_no_lymphocyte(real_data: Callable[[str], Path]) -> None:
    path = real_data("tumour_macrophages") / "malt_citeseq.h5ad"
    cells = real_cohorts.tissue(path, None)
    counts, symbols = cells.counts.matrix.toarray(), list(cells.counts.symbols)
    of = {gene: counts[:, symbols.index(gene)] for gene in symbols}
    genes = ["C1QA", "C1QB", "C1QC", "CD68", "CD14", "CSF1R", "AIF1", "SPI1", "FCER1G", "TYROBP"]
    rare = (np.array([of[gene] > 0 for gene in genes]).sum(axis=0) >= 4) & (of["CD3D"] < 3)
    rare &= of["MS4A1"] < 3
    assert 8 <= rare.sum() <= 12
    assert cells.cells.loc[rare, "lineage"].isin(["monocytic", "dendritic"]).all()


@pytest.mark.real_data
def test_unsorted_car_t_libraries_hold_more_monocytes_than_sorted_ones(
    real_data: Callable[[str], Path],
) -> None:
    cells = real_cohorts.carpall(real_data("carpall")).cells
    share = (cells["lineage"] == "monocytic").groupby([cells["patient"], cells["sort"]]).mean()
    for patient in ("P02", "P08", "P10"):
        assert share[patient, "NoSo"] > share[patient, "CD3+CAT+"]
    product = cells[cells["source"] == "PROD"]
    assert (product["lineage"] == "monocytic").mean() <= 0.005
