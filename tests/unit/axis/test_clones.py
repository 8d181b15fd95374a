"""Clones and clonality: closed forms, independence of depth, populations, patients."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from lammscope.axis.clone_doublets import count_doublets, find_two_clones
from lammscope.axis.clone_tracking import track_clones
from lammscope.axis.clones import (
    assign_clones,
    clonality,
    expanded_share,
    measure_clones,
    measures_table,
    shannon_clonality,
)
from tests.contigs import chain

SIZES = [np.array(sizes, dtype=float) for sizes in ([1, 1, 1], [2, 1], [3], [5, 3, 2, 1, 1, 1])]
PATIENTS = {"pre": "P1", "ip": "P1", "post": "P1", "other": "P2"}


def cohort(*rows: tuple[str, str, list[int]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make chains and cells: per row a sample, a population and the clones of its cells.

    Clone 0 is a cell without a receptor.
    """
    chains: list[dict[str, object]] = []
    cells: list[list[str]] = []
    for sample, population, clones in rows:
        for clone in clones:
            name = f"{sample}_{len(cells)}"
            lineage = population if population == "NK" else "T"
            cells.append([name, sample, population, lineage])
            if clone:
                chains += [chain(name, clone, locus=locus) for locus in ("TRA", "TRB")]
    table = pd.DataFrame(cells, columns=["cell", "sample", "population", "lineage"])
    table["car"] = np.where(table["population"] == "CAR_T", "positive", "negative")
    table = table.assign(kept=True, doublet=False, is_t=table["lineage"] == "T")
    found = pd.DataFrame(chains, columns=list(chain("a", 1))).rename(columns={"barcode": "cell"})
    return found.assign(sample=found["cell"].map(table.set_index("cell")["sample"])), table


def clones_of(*rows: tuple[str, str, list[int]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    chains, cells = cohort(*rows)
    return assign_clones(chains, cells, patients=PATIENTS), cells


@pytest.mark.parametrize("sizes", SIZES)
def test_clonality_is_the_share_of_pairs_of_cells_in_one_clone(sizes: np.ndarray) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes.astype(int))
    same = labels[:, None] == labels
    others = ~np.eye(len(labels), dtype=bool)
    assert clonality(sizes) == pytest.approx(same[others].mean())


@pytest.mark.parametrize("sizes", SIZES)
def test_expanded_share_of_two_cells_is_the_clonality(sizes: np.ndarray) -> None:
    assert expanded_share(sizes, n_drawn=2) == pytest.approx(clonality(sizes))


def test_expanded_share_follows_the_hypergeometric_distribution() -> None:
    sizes = np.array([30.0, 12, 4, 2, 1, 1, 1])
    n_cells = sizes.sum()
    alone = [hypergeom(n_cells - 1, size - 1, 19).pmf(0) for size in sizes]
    expected = 1 - (sizes / n_cells * alone).sum()
    assert expanded_share(sizes, n_drawn=20) == pytest.approx(expected, rel=1e-12)


def test_clonality_and_the_expanded_share_of_20_do_not_change_with_the_number_of_cells() -> None:
    """Other measures do, which is why they are not tested."""
    rng = np.random.default_rng(1)
    shares = np.concatenate([[0.15, 0.08, 0.05], np.full(720, 0.001)])

    def means(n_cells: int) -> np.ndarray:
        drawn = [d[d > 0].astype(float) for d in rng.multinomial(n_cells, shares, 4000)]
        return np.mean(
            [
                [clonality(d), expanded_share(d, n_drawn=20), d[d > 1].sum() / n_cells,
                 shannon_clonality(d)]
                for d in drawn
            ],
            axis=0,
        )  # fmt: skip

    few, many = means(25), means(400)
    assert few[:2] == pytest.approx(many[:2], rel=0.04)
    assert many[0] == pytest.approx((shares**2).sum(), rel=0.02)
    assert many[2] > few[2] + 0.1
    assert abs(many[3] - few[3]) > 0.02


def test_too_few_cells_have_no_clonality() -> None:
    for sizes in (np.array([]), np.array([1.0])):
        assert np.isnan(clonality(sizes))
        assert np.isnan(shannon_clonality(sizes))
    assert np.isnan(expanded_share(np.array([10.0, 9.0]), n_drawn=20))
    assert clonality(np.array([2.0])) == shannon_clonality(np.array([2.0])) == 1


def test_clones_are_of_patients_and_numbered_by_size() -> None:
    clones, _ = clones_of(
        ("pre", "CD8_T", [1, 1, 2]), ("post", "CD8_T", [1, 0]), ("other", "CD8_T", [2, 2, 1])
    )
    assert clones["clone"].tolist() == [
        *("P1_clone1", "P1_clone1", "P1_clone2", "P1_clone1"),
        *("P2_clone1", "P2_clone1", "P2_clone2"),
    ]


def test_other_genes_make_another_clone() -> None:
    chains, cells = cohort(("pre", "CD8_T", [1, 1, 1]))
    chains.loc[chains["cell"] == "pre_1", "v"] = "TRBV9"
    chains.loc[chains["cell"] == "pre_2", "j"] = "TRBJ2-7"
    assert assign_clones(chains, cells, patients=PATIENTS)["clone"].nunique() == 3


def test_doublets_that_are_not_kept_do_not_count_for_the_size_of_a_clone() -> None:
    chains, cells = cohort(("pre", "CD8_T", [1, 1, 1, 2, 2]))
    cells.loc[:1, "kept"] = False
    clones = assign_clones(chains, cells, patients=PATIENTS)
    assert clones["clone"].tolist() == ["P1_clone2"] * 3 + ["P1_clone1"] * 2


def test_clones_of_car_t_cells_alone_are_not_those_of_negative_cells() -> None:
    clones, cells = clones_of(
        ("ip", "CAR_T", [1, 2]), ("post", "CAR_T", [1, 2, 3]), ("post", "CD8_T", [3]),
        ("other", "CD8_T", [1]),
    )  # fmt: skip
    table = measure_clones(clones, cells).set_index(["sample", "population"])
    shared = table["n_clones_of_negative"].dropna()
    assert shared.to_dict() == {("ip", "CAR_T"): 0, ("post", "CAR_T"): 1}


def test_permuting_cells_changes_no_clone() -> None:
    chains, cells = cohort(("pre", "CD8_T", [1, 1, 2, 3, 0, 4, 4]), ("ip", "CAR_T", [4, 5]))
    expected = assign_clones(chains, cells, patients=PATIENTS).set_index("cell")
    shuffled = cells.sample(frac=1, random_state=1)
    found = assign_clones(chains, shuffled, patients=PATIENTS).set_index("cell")
    pd.testing.assert_frame_equal(found.loc[expected.index], expected)


def test_a_cell_with_an_alpha_chain_alone_has_no_clone() -> None:
    chains, cells = cohort(("pre", "CD8_T", [1, 2]))
    chains = chains[(chains["chain"] == "TRA") | (chains["cell"] == "pre_0")]
    clones = assign_clones(chains, cells, patients=PATIENTS)
    assert clones["clone"].isna().tolist() == [False, True]
    assert clones["n_trb"].tolist() == [1, 0]
    assert clones["n_tra"].tolist() == [1, 1]
    assert clones["tra_cdr3"].notna().all()
    assert measure_clones(clones, cells)["n_with_clone"].tolist() == [1, 1]


def test_the_chain_with_the_most_umis_decides() -> None:
    chains, cells = cohort(("pre", "CD8_T", [1, 2, 2]))
    second = pd.DataFrame([chain("pre_0", 2, umis=9)]).rename(columns={"barcode": "cell"})
    chains = pd.concat([second.assign(sample="pre"), chains], ignore_index=True)
    clones = assign_clones(chains, cells, patients=PATIENTS)
    assert clones["clone"].nunique() == 1
    assert clones["n_trb"].tolist() == [2, 1, 1]


def test_without_nucleotides_amino_acids_are_compared_in_all_samples_of_the_patient() -> None:
    chains, cells = cohort(
        ("pre", "CD8_T", [1, 2]), ("post", "CD8_T", [1]), ("other", "CD8_T", [1])
    )
    chains.loc[chains["sample"] == "post", "nucleotides"] = ""
    clones = assign_clones(chains, cells, patients=PATIENTS)
    assert clones["clone"].tolist() == ["P1_clone1", "P1_clone2", "P1_clone1", "P2_clone1"]


def test_populations_and_all_t_cells_have_their_numbers() -> None:
    clones, cells = clones_of(
        ("post", "CAR_T", [1, 1, 2, 0]), ("post", "CD8_T", [1, 3]), ("post", "NK", [4]),
        ("pre", "CD4_T", [2]),
    )  # fmt: skip
    table = measure_clones(clones, cells).set_index(["sample", "population"])
    assert table.index.tolist() == [
        *(("post", "T"), ("post", "CAR_T"), ("post", "CD8_T")),
        *(("pre", "T"), ("pre", "CD4_T")),
    ]
    row = table.loc[("post", "T")]
    assert row[["n_cells", "n_with_clone", "n_clones"]].tolist() == [6, 5, 3]
    assert row["clonality"] == pytest.approx(6 / 20)
    assert row[["largest_clone", "ten_largest_clones", "expanded_clones"]].tolist() == [0.6, 1, 0.6]
    shared = table["n_clones_of_negative"].dropna()
    assert shared.to_dict() == {("post", "CAR_T"): 2}  # one in CD8, the other before infusion
    missing = table[["clonality", "expanded_of_20"]].isna()
    assert missing.loc[("pre", "T")].tolist() == [True, True]
    assert missing.loc[("post", "T")].tolist() == [False, True]


def test_measures_are_totals_with_cells_and_leave_out_missing_values() -> None:
    clones, cells = clones_of(("post", "CD8_T", [1] * 15 + [2] * 10), ("pre", "CD8_T", [1]))
    table = measures_table(measure_clones(clones, cells))
    assert table.columns.tolist() == [
        *("sample", "population", "measure", "kind", "total", "n_cells")
    ]
    assert set(table["sample"]) == {"post"}
    assert set(table["measure"]) == {"clonality", "largest_clone", "expanded_of_20"}
    row = table.set_index(["population", "measure"]).loc[("T", "largest_clone")]
    assert row["total"] / row["n_cells"] == pytest.approx(0.6)


def test_a_cohort_whose_t_cells_are_all_of_one_patient_has_values_of_that_patient() -> None:
    clones, cells = clones_of(("post", "CD8_T", [1] * 30), ("other", "NK", [0] * 30))
    table = measure_clones(clones, cells)
    assert set(table["sample"]) == {"post"}
    assert set(measures_table(table)["total"] / 30) == {1.0}


def test_without_any_receptor_the_tables_have_their_columns() -> None:
    clones, cells = clones_of(("post", "CD8_T", [0, 0]))
    assert clones.empty
    table = measure_clones(clones, cells)
    assert table["n_with_clone"].tolist() == [0, 0]
    assert table["clonality"].isna().all()
    assert measures_table(table).empty
    assert count_doublets(clones).columns[0] == "sample"
    samples = pd.DataFrame({"sample": ["pre", "post"], "patient": "P1", "phase": ["pre", "post"]})
    tracked = track_clones(clones, samples.assign(compartment="blood", day=None))
    assert tracked["n_cells"].tolist() == [0]
    assert tracked["seen"].isna().all()


SAMPLES = pd.DataFrame(
    {
        "sample": ["pre", "ip", "post", "other"],
        "patient": ["P1", "P1", "P1", "P2"],
        "phase": ["pre", None, "post", "post"],
        "compartment": ["blood", "product", "blood", "blood"],
        "day": [None, None, 7.0, 7.0],
    }
)


def test_clones_are_followed_from_product_to_blood_and_from_before_to_after() -> None:
    clones, _ = clones_of(
        ("pre", "CD8_T", [1, 1, 5]), ("ip", "CAR_T", [2, 3]), ("ip", "CD8_T", [4]),
        ("post", "CAR_T", [2, 2, 2, 6]), ("post", "CD4_T", [1, 4, 0]), ("other", "CD8_T", [2]),
    )  # fmt: skip
    table = track_clones(clones, SAMPLES).set_index(["earlier", "later", "population"])
    assert set(table["step"]) == {"pre to product", "pre to post", "product to post"}
    row = table.loc[("ip", "post", "T")]
    assert row[["n_cells", "n_seen", "n_clones", "n_shared_clones"]].tolist() == [6, 4, 4, 2]
    assert row[["n_cells_earlier", "n_clones_earlier"]].tolist() == [3, 3]
    assert table.loc[("ip", "post", "CAR_T"), "seen"] == 0.75
    assert table.loc[("pre", "post", "T"), "seen"] == pytest.approx(1 / 6)
    assert table.loc[("pre", "ip", "CAR_T"), "n_seen"] == 0
    assert not set(table["patient"]) - {"P1"}


def test_days_order_samples_of_a_stage_and_no_order_is_guessed() -> None:
    clones, _ = clones_of(("pre", "CD8_T", [1]), ("ip", "CD8_T", [1]), ("post", "CD8_T", [1]))
    same = SAMPLES.assign(phase="post", compartment="blood", day=[7, 28, 28, 7])
    pairs = track_clones(clones, same)[["earlier", "later", "step"]].to_numpy().tolist()
    assert pairs == [["pre", "ip", "post to post"], ["pre", "post", "post to post"]]
    assert track_clones(clones, same.assign(day=None)).empty


def beta(*cells: list[str]) -> pd.DataFrame:
    """Beta chains of cells of one patient, each given by its keys."""
    rows = [(f"c{i}", key) for i, keys in enumerate(cells) for key in keys]
    return pd.DataFrame(rows, columns=["cell", "key"]).assign(patient="P1")


def test_a_pair_of_chains_that_other_cells_have_alone_is_of_two_clones() -> None:
    assert find_two_clones(beta(["a"], ["b"], ["a", "b"])) == {"c2"}
    assert find_two_clones(beta(["a"], ["a", "b"])) == set()  # b is of no other cell
    assert find_two_clones(beta(["a"], ["b"])) == set()


def test_a_clone_with_two_beta_chains_is_no_doublet() -> None:
    """Some of its cells miss one chain or the other."""
    assert find_two_clones(beta(*[["a", "b"]] * 6, *[["a"]] * 4, *[["b"]] * 2)) == set()


def test_chains_of_another_patient_do_not_make_a_doublet() -> None:
    table = beta(["a"], ["b"], ["a", "b"])
    assert find_two_clones(table.assign(patient=["P1", "P2", "P1", "P1"])) == set()


def test_planted_doublets_are_found_among_cells_with_two_chains() -> None:
    rng = np.random.default_rng(2)
    clones = rng.choice(40, 600, p=np.arange(1, 41) / 820)
    keys = [[f"k{clone}"] for clone in clones]
    partners = rng.choice(40, 30, p=np.arange(1, 41) / 820)
    for cell, partner in enumerate(partners):
        keys[cell] = list(dict.fromkeys([*keys[cell], f"k{partner}"]))
    planted = {f"c{i}" for i, of in enumerate(keys) if len(of) == 2}
    found = find_two_clones(beta(*keys))
    assert found <= planted
    assert len(found) >= 0.9 * len(planted)


def test_cells_of_clones_with_two_chains_are_rarely_taken_for_doublets() -> None:
    """One in twelve clones has a second chain; each chain is found in 85 % of cells."""
    rng = np.random.default_rng(4)
    shares = 1 / np.arange(1, 301) / (1 / np.arange(1, 301)).sum()
    has_second = rng.random(300) < 1 / 12
    clones = rng.choice(300, 1000, p=shares)
    keys = [
        [k for k in (f"{c}a", *([f"{c}b"] if has_second[c] else [])) if rng.random() < 0.85]
        for c in clones
    ]
    partners = rng.choice(300, 60, p=shares)
    for cell, partner in enumerate(partners):
        keys[cell] = list(dict.fromkeys([*keys[cell], f"{partner}a"]))
    with_two = {f"c{i}" for i, of in enumerate(keys) if len(of) > 1}
    planted = with_two & {f"c{i}" for i in range(60) if partners[i] != clones[i]}
    found = find_two_clones(beta(*keys))
    assert len(found & planted) >= 0.6 * len(planted)
    assert len(found - planted) <= 0.03 * len(with_two - planted)
    assert len(with_two - planted) > 20


def test_doublets_are_counted_by_beta_chains_and_calls() -> None:
    chains, cells = cohort(("pre", "CD8_T", [1, 2, 1, 3]))
    second = pd.DataFrame([chain("pre_2", 2, umis=1)]).rename(columns={"barcode": "cell"})
    chains = pd.concat([chains, second.assign(sample="pre")], ignore_index=True)
    cells.loc[2, ["doublet", "kept"]] = [True, False]
    clones = assign_clones(chains, cells, patients=PATIENTS)
    assert count_doublets(clones).iloc[0].to_dict() == {
        **{"sample": "pre", "n_one_trb": 3, "n_one_trb_called": 0, "n_two_trb": 1},
        **{"n_two_trb_called": 1, "n_two_clones": 1, "n_two_clones_called": 1},
        "n_kept_two_clones": 0,
    }
