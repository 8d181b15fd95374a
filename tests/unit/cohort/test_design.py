"""Units, design matrices and the permutation floor."""

from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.cohort.comparison import Comparison, compare
from lammscope.cohort.contrast_checks import aliased_contrasts
from lammscope.cohort.design import aliased_columns, design_matrix, independent_columns
from lammscope.cohort.selection import select_samples
from lammscope.stats import linear
from tests.unit.example_cohorts import ARMS, BASELINE, asked, cohort

PERMUTATIONS = {"max_exact": 20_000, "n_draws": 10_000}


def test_each_patient_gives_one_unit_and_replicates_are_summed() -> None:
    samples = cohort()
    twin = samples[samples["sample"] == "R1_D0"].assign(sample="R1_D0_b")
    units = Comparison(pd.concat([samples, twin]), asked(BASELINE, samples)).units
    assert units["patient"].tolist() == ["N1", "N2", "N3", "N4", "R1", "R2", "R3", "R4"]
    assert units.set_index("patient").loc["R1", "samples"] == ["R1_D0", "R1_D0_b"]
    assert units["arm"].tolist() == ["test"] * 4 + ["reference"] * 4


def test_several_time_points_need_a_choice() -> None:
    samples = cohort()
    with pytest.raises(
        ValueError, match=r"patients N1, N2, .*: N1: N1_D0 \(D0\), N1_D7 \(D7\); N2: .*`choose`"
    ):
        _ = Comparison(samples, asked(ARMS, samples)).units
    for choose, expected in (("first", "D0"), ("last", "D7"), ("D7", "D7")):
        units = Comparison(samples, asked({**ARMS, "choose": choose}, samples)).units
        assert {name[-2:] for names in units["samples"] for name in names} == {expected}


def test_pairs_and_changes_use_complete_patients_only() -> None:
    samples = cohort()
    samples = samples[samples["sample"] != "R2_D7"]
    paired = asked({"kind": "paired", "test": "post", "reference": "pre"}, samples)
    units = Comparison(samples, paired).units
    assert "R2" not in set(units["patient"])
    assert units.loc[0, "samples_test"] == ["N1_D7"]
    assert units.loc[0, "samples_reference"] == ["N1_D0"]
    change = asked({**ARMS, "kind": "change"}, samples)
    assert len(Comparison(samples, change).units) == 7
    sides = Comparison(samples, change).sides
    assert len(sides) == 15
    assert sides.loc[~sides["complete"], "patient"].tolist() == ["R2"]


def test_pairs_match_what_they_must_share() -> None:
    samples = cohort().assign(sort="NoSo", source="PB")
    sorted_ = samples[samples["patient"].isin(["R1", "R2", "N1"])].assign(sort="CD3")
    sorted_["sample"] += "_s"
    sorted_.loc[sorted_["patient"] == "R2", "source"] = "BM"
    both = pd.concat([samples, sorted_], ignore_index=True)
    both = both[both["timepoint"] == "D0"]
    entry = {"kind": "paired", "column": "sort", "test": "NoSo", "reference": "CD3"}
    units = Comparison(both, asked({**entry, "match": ["source", "timepoint"]}, both)).units
    assert units["unit"].tolist() == ["N1/PB/D0", "R1/PB/D0"]
    assert units["arm"].tolist() == ["pair", "pair"]


def test_two_pairs_of_one_patient_are_refused() -> None:
    samples = pd.concat([cohort(), cohort().assign(sort="CD3", sample=lambda t: t["sample"] + "s")])
    entry: dict[str, Any] = {"kind": "paired", "column": "sort", "test": "none", "reference": "CD3"}
    entry["match"] = ["timepoint"]
    with pytest.raises(
        ValueError, match=r"patients N1, .* have several samples that are not replicates"
    ):
        _ = Comparison(samples, asked(entry, samples)).units
    chosen = asked({**entry, "choose": "D7"}, samples)
    assert Comparison(samples, chosen).units["unit"].tolist()[0] == "N1/D7"


def test_sorted_libraries_enter_only_where_sort_is_named() -> None:
    samples = cohort()
    samples.loc[samples["patient"] == "R1", "sort"] = "CD3"
    assert "R1" not in set(Comparison(samples, asked(BASELINE, samples)).units["patient"])
    selection = select_samples(samples, asked(BASELINE, samples)).set_index("sample")
    assert selection.loc["R1_D0", "reason"] == "sorted library"
    named = asked({**ARMS, "where": {"phase": "pre", "sort": ["none", "CD3"]}}, samples)
    assert "R1" in set(Comparison(samples, named).units["patient"])


def test_a_product_is_never_compared_with_blood() -> None:
    samples = cohort()
    samples.loc[samples["patient"] == "R1", "compartment"] = "product"
    with pytest.raises(ValueError, match="mixes the compartments blood, product"):
        _ = Comparison(samples, asked(BASELINE, samples)).units


def test_order_of_samples_changes_nothing() -> None:
    samples = cohort()
    shuffled = samples.sample(frac=1, random_state=3)
    for entry in (BASELINE, {**ARMS, "kind": "change", "adjust": ["product"]}):
        contrast = asked(entry, samples)
        pd.testing.assert_frame_equal(
            Comparison(samples, contrast).units, Comparison(shuffled, contrast).units
        )


def test_design_matrix_codes_arm_and_covariates() -> None:
    samples = cohort().assign(age=lambda t: t["patient"].str[1:].astype(int) * 10, site="A")
    contrast = asked({**BASELINE, "adjust": ["product", "age", "site"]}, samples)
    design = design_matrix(Comparison(samples, contrast).units, contrast.adjust)
    assert list(design.columns) == ["intercept", "arm", "product[tisa]", "age"]
    assert design["age"].mean() == pytest.approx(0)
    assert aliased_columns(design) == []


def test_aliasing_names_the_columns_and_redundant_covariates_are_dropped() -> None:
    samples = cohort().assign(site=lambda t: t["patient"].str[0])
    contrast = asked({**BASELINE, "adjust": ["site"]}, samples)
    design = design_matrix(Comparison(samples, contrast).units, contrast.adjust)
    assert "arm" in aliased_columns(design)
    assert "site" in aliased_contrasts(compare(samples, [contrast]))["question"]
    samples = cohort().assign(twin=lambda t: t["product"])
    contrast = asked({**BASELINE, "adjust": ["product", "twin"]}, samples)
    design = design_matrix(Comparison(samples, contrast).units, contrast.adjust)
    assert aliased_columns(design) == ["product[tisa]", "twin[tisa]"]
    assert list(independent_columns(design)) == ["intercept", "arm", "product[tisa]"]
    assert aliased_contrasts(compare(samples, [contrast])) == {}


def smallest_p_by_enumeration(
    arm: np.ndarray, strata: np.ndarray, rng: np.random.Generator
) -> float:
    """Return the smallest p over many data sets, with all permutations enumerated."""
    n = len(arm)
    assignments = [
        np.isin(np.arange(n), chosen).astype(float)
        for chosen in combinations(range(n), int(arm.sum()))
        if all(np.isin(np.flatnonzero(strata == s), chosen).sum() == arm[strata == s].sum()
               for s in np.unique(strata))
    ]  # fmt: skip
    dummies = (strata[:, None] == np.unique(strata)).astype(float)
    y = rng.normal(size=(300, n)) + 30 * arm * rng.choice([-1, 1], size=(300, 1))
    t = [
        np.abs(linear.ordinary(linear.lm_fit(y, np.column_stack([a, dummies]))).t[:, 0])
        for a in assignments
    ]
    at = next(i for i, a in enumerate(assignments) if np.array_equal(a, arm))
    return float(np.min(np.mean(np.array(t) >= t[at] * (1 - 1e-9), axis=0)))


@pytest.mark.parametrize(
    ("arms", "strata"),
    [("TTTRRR", "aaaaaa"), ("TTTRRRR", "aaaaaaa"), ("TTRRTTRR", "aaaabbbb"),
     ("TTTRRRTR", "aaaabbbb"), ("TTRRTRT", "aaaabbc"), ("TRRTRRR", "aaabbbb")],
)  # fmt: skip
def test_permutation_floor_between_arms_is_what_enumeration_finds(arms: str, strata: str) -> None:
    units = pd.DataFrame({"arm": ["test" if a == "T" else "reference" for a in arms]})
    units["stratum"] = list(strata)
    samples = cohort().assign(stratum="a")
    contrast = asked({**BASELINE, "adjust": ["stratum"]}, samples)
    scheme = contrast.permutations(units, **PERMUTATIONS)
    expected = smallest_p_by_enumeration(
        (units["arm"] == "test").to_numpy(float), np.array(list(strata)), np.random.default_rng(1)
    )
    assert scheme.floor == pytest.approx(expected)
    assert "exact" in scheme.words
    assert "stratum" in scheme.words


def test_permutation_floor_of_pairs_is_two_sign_flips() -> None:
    samples = cohort()
    paired = asked({"kind": "paired", "test": "post", "reference": "pre"}, samples)
    units = Comparison(samples, paired).units
    y = np.array([3.0, 4.0, 5.0, 6.0, 3.5, 4.5, 5.5, 6.5])
    flips = np.array([np.abs(np.mean(y * signs)) for signs in product([1, -1], repeat=8)])
    floor = paired.permutations(units, **PERMUTATIONS).floor
    assert floor == np.mean(flips >= y.mean() - 1e-12) == 2 / 2**8
    assert paired.permutations(units.iloc[:4], **PERMUTATIONS).floor == 0.125


def test_permutation_floor_with_many_patients_or_numbers() -> None:
    samples = cohort(12).assign(age=lambda t: t["patient"].str[1:].astype(int))
    scheme = asked(BASELINE, samples).permutations(
        Comparison(samples, asked(BASELINE, samples)).units, **PERMUTATIONS
    )
    assert scheme.floor == 1 / 10_001
    assert "10,000 draws" in scheme.words
    contrast = asked({**BASELINE, "adjust": ["age"]}, samples)
    scheme = contrast.permutations(Comparison(samples, contrast).units, **PERMUTATIONS)
    assert "approximate" in scheme.words


@pytest.mark.parametrize("kind", ["between", "change"])
def test_a_patient_in_both_arms_is_refused(kind: str) -> None:
    samples = cohort()
    samples["dose"] = samples["timepoint"].map({"D0": "low", "D7": "high"})
    contrast = asked({"kind": kind, "column": "dose", "test": "high", "reference": "low"}, samples)
    with pytest.raises(
        ValueError, match=r"N1, .* have samples in both arms of `dose`; use `kind: paired`"
    ):
        _ = Comparison(samples, contrast).units


def test_a_change_never_spans_two_compartments() -> None:
    samples = cohort()
    moved = (samples["response"] == "non_responder") & (samples["phase"] == "post")
    samples.loc[moved, "compartment"] = "tumour"
    entry = {"kind": "change", "test": "non_responder", "reference": "responder"}
    units = Comparison(samples, asked(entry, samples)).units
    assert set(units["arm"]) == {"reference"}


def test_a_pair_by_another_column_shares_its_phase() -> None:
    samples = cohort()
    samples["compartment"] = samples["timepoint"].map({"D0": "tumour", "D7": "blood"})
    entry = {"kind": "paired", "column": "compartment", "test": "tumour", "reference": "blood"}
    assert Comparison(samples, asked(entry, samples)).units.empty
