"""Count cells and test populations, with the patient as the unit."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from lammscope.abundance.comparisons import COLUMNS, detectable_difference
from lammscope.abundance.counts import count_cells
from lammscope.abundance.primary import primary_row
from lammscope.core.names import UNKNOWN_CAR_T
from lammscope.report.sections.primary import primary_sentence
from tests.unit.abundance.questions import judge
from tests.unit.abundance.questions import run_abundance as run_test
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples

ARMS = ("non_responder", "responder")
LAMM_TYPE = "LA_macrophage"  # here its cells, and no others, are LAMM cells
LINEAGE = {
    "B": "B",
    "CAR_T": "T",
    "CD4_T": "T",
    "CD8_T": "T",
    "Classical_monocyte": "monocytic",
    "Malignant_B": "malignant",
    LAMM_TYPE: "monocytic",
    "Macrophage": "monocytic",
    "NK": "NK",
}
BASE = dict(zip(LINEAGE, [2.5, 0.5, 3.6, 3.0, 3.0, 0.7, 1.6, 1.0, 2.5], strict=True))
SETTINGS = {
    "min_cells": 20,
    "exclude_pre_post": ["B", "Malignant_B", "CAR_T"],
    "max_exact": 20_000,
    "n_draws": 10_000,
    "seed": 1,
    "sorts": {},
}


def make_counts(
    samples: pd.DataFrame, *, seed: int = 1, n_cells: int = 4000, **log_shift: np.ndarray
) -> pd.DataFrame:
    """Draw cells with patient and sample effects; `log_shift` per population and sample.

    The cells of one type are LAMM cells, so that a shift of `LAMM` is that of the type.
    """
    log_shift = {LAMM_TYPE if name == "LAMM" else name: x for name, x in log_shift.items()}
    rng = np.random.default_rng(seed)
    patients = {p: rng.normal(0, 0.2, len(BASE)) for p in samples["patient"].unique()}
    tables = []
    for i, (sample, patient) in enumerate(zip(samples["sample"], samples["patient"], strict=True)):
        logs = np.array(list(BASE.values())) + patients[patient] + rng.normal(0, 0.15, len(BASE))
        logs += [log_shift[name][i] if name in log_shift else 0.0 for name in BASE]
        n = rng.multinomial(n_cells, special.softmax(logs))
        tables.append(pd.DataFrame({"sample": sample, "population": list(BASE), "n_cells": n}))
    table = pd.concat(tables, ignore_index=True)
    table["lineage"], table["partition"] = table["population"].map(LINEAGE), True
    levels = table[table["population"] == LAMM_TYPE].assign(partition=False)
    return pd.concat(
        [
            table,
            levels.assign(population="LAMM"),
            levels.assign(population="LAMM_macrophage_like"),
            levels.assign(population="LAMM_positive", n_cells=levels["n_cells"] + 30),
        ],
        ignore_index=True,
    )


def row(table: pd.DataFrame, population: str, denominator: str, scale: str = "logit") -> pd.Series:
    found = table[
        (table["population"] == population)
        & (table["denominator"] == denominator)
        & (table["scale"] == scale)
    ]
    assert len(found) == 1
    return found.iloc[0]


def proportions(counts: pd.DataFrame, population: str, among: list[str]) -> pd.Series:
    """Compute logits with pseudocounts by hand."""
    wide = counts[counts["partition"]].pivot(index="sample", columns="population", values="n_cells")
    p = (wide[population] + 0.5) / (wide[among].sum(axis=1) + 0.5 * len(among))
    return special.logit(p)


MONOCYTIC = ["Classical_monocyte", LAMM_TYPE, "Macrophage"]


def test_cells_are_counted_for_every_sample_and_population() -> None:
    cells = pd.DataFrame(
        {
            "sample": ["a", "a", "a", "b"],
            "population": ["Macrophage", "Classical_monocyte", "NK", "NK"],
            "lineage": ["monocytic", "monocytic", "NK", "NK"],
            "lamm_call": ["LAMM", "uncertain", "not_LAMM", "not_LAMM"],
            "lamm_positive": [0.99, 0.95, 0.0, 0.0],
            "lamm_macrophage_like": [0.93, 0.2, 0.0, 0.0],
        }
    )
    table = count_cells(cells, pd.DataFrame({"sample": ["a", "b", "c"]}), probability=0.9)
    wide = table.pivot(index="sample", columns="population", values="n_cells")
    assert wide.loc["a"].to_dict() == {
        "Classical_monocyte": 1, "LAMM": 1, "LAMM_macrophage_like": 1, "LAMM_positive": 2,
        "Macrophage": 1, "NK": 1,
    }  # fmt: skip
    assert wide.loc["c"].sum() == 0
    parts = table.drop_duplicates("population").set_index("population")["partition"]
    assert set(parts.index[~parts]) == {"LAMM", "LAMM_macrophage_like", "LAMM_positive"}
    assert table[table["partition"]].groupby("sample")["n_cells"].sum().tolist() == [3, 1, 0]
    assert set(table.loc[table["population"].str.startswith("LAMM"), "lineage"]) == {"monocytic"}


def test_cohort_without_cells_of_interest_still_has_a_lamm_row() -> None:
    cells = pd.DataFrame(
        {"sample": ["a"], "population": ["NK"], "lineage": ["NK"], "lamm_call": ["not_LAMM"],
         "lamm_positive": [0.0], "lamm_macrophage_like": [0.0]}
    )  # fmt: skip
    table = count_cells(cells, pd.DataFrame({"sample": ["a"]}), probability=0.9)
    assert table.set_index("population")["n_cells"].to_dict() == {
        "LAMM": 0, "LAMM_macrophage_like": 0, "LAMM_positive": 0, "NK": 1
    }  # fmt: skip


def test_t_cells_that_may_be_car_t_cells_are_in_denominators_and_have_no_row() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    wide = counts["population"] == "CAR_T"
    unknown = counts.assign(population=counts["population"].where(~wide, UNKNOWN_CAR_T))
    for entry in (BASELINE, PAIRED):
        question = asked(entry, samples)
        settings = SETTINGS | {"exclude_pre_post": ["B"]}
        one = run_test(counts, samples, question, **settings)
        other = run_test(unknown, samples, question, **settings)
        assert UNKNOWN_CAR_T not in set(other["population"])
        same = one[one["population"] != "CAR_T"].reset_index(drop=True)
        estimates = ["population", "denominator", "scale", "estimate", "p", "n_test"]
        pd.testing.assert_frame_equal(same[estimates], other[estimates])


def test_between_is_the_t_test_of_logits_by_hand() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    table = run_test(counts, samples, asked(BASELINE, samples), **SETTINGS)
    assert list(table.columns) == COLUMNS
    y = proportions(counts, LAMM_TYPE, MONOCYTIC).reindex(samples["sample"])
    pre = (samples["phase"] == "pre").to_numpy()
    arms = [y[pre & (samples["response"] == arm).to_numpy()] for arm in ARMS]
    expected = stats.ttest_ind(*arms, equal_var=False)
    got = row(table, "LAMM", "monocytic")
    assert got["p_ordinary"] == pytest.approx(stats.ttest_ind(*arms).pvalue)
    assert got["estimate"] == pytest.approx(arms[0].mean() - arms[1].mean())
    assert got[["t", "df", "p"]].tolist() == pytest.approx(
        [expected.statistic, expected.df, expected.pvalue]
    )
    interval = expected.confidence_interval(0.95)
    assert got[["ci_low", "ci_high"]].tolist() == pytest.approx(list(interval))
    assert got["p_floor"] == pytest.approx(2 / 924)


def test_paired_and_change_are_t_tests_of_differences() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    y = proportions(counts, "Macrophage", MONOCYTIC)
    names = samples.pivot(index="patient", columns="phase", values="sample")
    difference = y[names["post"]].to_numpy() - y[names["pre"]].to_numpy()
    table = run_test(counts, samples, asked(PAIRED, samples), **SETTINGS)
    got = row(table, "Macrophage", "monocytic")
    expected = stats.ttest_1samp(difference, 0)
    assert got[["estimate", "t", "p"]].tolist() == pytest.approx(
        [difference.mean(), expected.statistic, expected.pvalue]
    )
    assert (got["n_test"], got["n_reference"]) == (12, 12)
    table = run_test(counts, samples, asked(CHANGE, samples), **SETTINGS)
    test = names.index.str.startswith("n")
    expected = stats.ttest_ind(difference[test], difference[~test], equal_var=False)
    got = row(table, "Macrophage", "monocytic")
    assert got[["t", "p"]].tolist() == pytest.approx([expected.statistic, expected.pvalue])


def test_two_complementary_populations_have_opposite_estimates() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    counts = counts[~counts["population"].isin(["Macrophage"])]
    table = run_test(counts, samples, asked(BASELINE, samples), **SETTINGS)
    lamm, other = (row(table, p, "monocytic") for p in ("LAMM", "Classical_monocyte"))
    assert lamm["estimate"] == pytest.approx(-other["estimate"])
    assert lamm["p"] == pytest.approx(other["p"])


def test_rows_of_the_same_cells_agree_and_totals_add_up() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    table = run_test(counts, samples, asked(BASELINE, samples), **SETTINGS)
    for denominator in ("all", "immune", "monocytic"):
        for scale in ("logit", "arcsine"):
            ours = row(table, "LAMM", denominator, scale)
            for same in (LAMM_TYPE, "LAMM_macrophage_like"):
                assert row(table, same, denominator, scale)["p"] == pytest.approx(ours["p"])
    total = row(table, "monocytic", "all")
    parts = [row(table, p, "all")["mean_test"] for p in MONOCYTIC]
    assert total["mean_test"] == pytest.approx(sum(parts))
    assert (table["compositional"] == (table["scale"] != "log_ratio")).all()
    family = table[(table["denominator"] == "all") & (table["scale"] == "logit")]
    beside = family[family["population"].isin([*MONOCYTIC, "monocytic"]) | family["fdr"].notna()]
    rates = stats.false_discovery_control(beside["p"])
    assert total["fdr"] == pytest.approx(rates[(beside["population"] == "monocytic").to_numpy()][0])
    assert set(table.loc[table["scale"] == "log_ratio", "population"]) == {"LAMM", "monocytic"}


def test_planted_rise_of_lamm_is_found_and_covered() -> None:
    samples = make_samples(10)
    planted = np.where(samples["response"] == "non_responder", 1.2, 0.0)
    counts = make_counts(samples, LAMM=planted)
    contrast = asked({**BASELINE, "adjust": ["product"]}, samples)
    table = run_test(counts, samples, contrast, **SETTINGS)
    got = row(table, "LAMM", "monocytic")
    assert got["ci_low"] < 1.2 < got["ci_high"]
    assert got["p"] < 0.001
    judged = judge(table, contrast, denominator="monocytic")
    assert row(judged, "LAMM", "monocytic")["words"] == "supported: higher in non_responder"
    assert row(judged, "NK", "immune")["words"].startswith("inconclusive; ratios of ")
    sentence = primary_sentence(judged, contrast, denominator="monocytic")
    assert "associated with a higher fraction of LAMM cells" in sentence
    assert f"odds ratio {np.exp(got['estimate']):.2f}" in sentence
    assert "10 non-responder and 10 responder patients" in sentence
    assert "Verdict: supported" in sentence


def test_planted_change_is_found_by_the_change_contrast() -> None:
    samples = make_samples(8)
    both = (samples["response"] == "non_responder") & (samples["phase"] == "post")
    counts = make_counts(samples, LAMM=np.where(both, 1.0, 0.0))
    got = row(run_test(counts, samples, asked(CHANGE, samples), **SETTINGS), "LAMM", "monocytic")
    assert got["estimate"] > 0
    assert got["p"] < 0.05
    assert got["ci_low"] < 1.0 < got["ci_high"]


def test_fall_of_b_cells_moves_no_default_denominator_of_pre_post_contrasts() -> None:
    samples = make_samples(8)
    fall = np.where(samples["phase"] == "post", -4.0, 0.0)
    flat, fallen = make_counts(samples), make_counts(samples, B=fall)
    table = run_test(fallen, samples, asked(PAIRED, samples), **SETTINGS)
    assert row(table, "B", "all")["ci_high"] < 0
    before = run_test(flat, samples, asked(PAIRED, samples), **SETTINGS)
    for population in ("NK", "CD4_T", "LAMM"):
        shift = (
            row(table, population, "all")["estimate"] - row(before, population, "all")["estimate"]
        )
        assert abs(shift) < 0.15
    kept = run_test(fallen, samples, asked(PAIRED, samples), **{**SETTINGS, "exclude_pre_post": []})
    assert row(kept, "NK", "all")["estimate"] > row(table, "NK", "all")["estimate"] + 0.1


def test_null_is_calibrated_over_many_populations() -> None:
    rng = np.random.default_rng(5)
    samples = make_samples(6)
    n_types = 400
    spread = np.exp(rng.normal(-1, 0.5, n_types))  # populations have unequal variances
    logs = rng.normal(0, spread, (12, n_types)).repeat(2, axis=0)
    logs += rng.normal(0, 0.5 * spread, (24, n_types))
    counts = rng.poisson(300 * np.exp(logs))
    table = pd.DataFrame(counts, columns=[f"T{i}" for i in range(n_types)])
    table = table.assign(sample=samples["sample"], LAMM=0).melt(
        id_vars="sample", var_name="population", value_name="n_cells"
    )
    table["lineage"], table["partition"] = "T", table["population"] != "LAMM"
    table.loc[table["population"] == "LAMM", "lineage"] = "monocytic"
    for entry in (BASELINE, PAIRED, CHANGE):
        result = run_test(table, samples, asked(entry, samples), **SETTINGS)
        p = result.loc[
            (result["denominator"] == "all") & (result["scale"] == "logit"), "p"
        ].dropna()
        assert len(p) == n_types
        low, high = stats.binom.ppf([0.0005, 0.9995], n_types, 0.05) / n_types
        assert low <= (p < 0.05).mean() <= high


def test_order_of_patients_and_rows_changes_nothing() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    table = run_test(counts, samples, asked(BASELINE, samples), **SETTINGS)
    shuffled = run_test(
        counts.sample(frac=1, random_state=1),
        samples.sample(frac=1, random_state=2),
        asked(BASELINE, samples),
        **SETTINGS,
    )
    pd.testing.assert_frame_equal(table, shuffled)


def test_exchanged_arms_exchange_signs_only() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    one = run_test(counts, samples, asked(BASELINE, samples), **SETTINGS)
    swapped = {**BASELINE, "test": BASELINE["reference"], "reference": BASELINE["test"]}
    other = run_test(counts, samples, asked(swapped, samples), **SETTINGS)
    np.testing.assert_allclose(one["estimate"], -other["estimate"])
    np.testing.assert_allclose(one["p"], other["p"])
    np.testing.assert_allclose(one["p_moderated"], other["p_moderated"])


def test_moderated_values_need_five_populations() -> None:
    samples = make_samples()
    table = run_test(make_counts(samples), samples, asked(BASELINE, samples), **SETTINGS)
    partition = table["fdr"].notna() & (table["population"] != "monocytic")
    assert table.loc[partition & (table["denominator"] == "all"), "p_moderated"].notna().all()
    assert table.loc[table["denominator"] == "monocytic", "p_moderated"].isna().all()
    assert table.loc[~partition, "population"].isin(
        ["LAMM_positive", "LAMM_macrophage_like", "monocytic", "LAMM"]
    ).all()  # fmt: skip


def test_samples_with_few_cells_are_dropped_and_named() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    counts.loc[
        (counts["sample"] == "r2_pre") & counts["lineage"].isin(["monocytic"]), "n_cells"
    ] = 1
    table = run_test(counts, samples, asked(BASELINE, samples), **SETTINGS)
    got = row(table, "LAMM", "monocytic")
    assert (got["n_test"], got["n_reference"]) == (6, 5)
    assert got["notes"] == "under 20 cells of the denominator: r2 (responder)"
    assert got["p_floor"] == pytest.approx(1 / 462)
    assert row(table, "LAMM", "all")["n_reference"] == 6


@pytest.mark.parametrize("entry", [BASELINE, PAIRED, CHANGE])
def test_too_few_patients_get_means_but_no_inference(entry: dict[str, Any]) -> None:
    samples = make_samples(2)
    if entry is PAIRED:
        samples = samples[samples["response"] == "responder"]
    contrast = asked(entry, samples)
    table = run_test(make_counts(samples), samples, contrast, **SETTINGS)
    assert set(table["status"]) == {"too_few_patients"}
    assert table[["estimate", "se", "ci_low", "ci_high", "p", "fdr"]].isna().all(axis=None)
    assert table[["mean_test", "mean_reference"]].notna().all(axis=None)
    assert table["reason"].str.startswith("fewer than 3 ").all()
    judged = judge(table, contrast, denominator="monocytic")
    assert set(judged["verdict"]) == {"not testable"}
    assert judged["words"].str.startswith("not testable: fewer than 3 ").all()
    assert "were not compared" in primary_sentence(judged, contrast, denominator="monocytic")


def test_no_patient_at_all_is_still_a_table() -> None:
    samples = make_samples()
    samples.loc[samples["phase"] == "pre", "sort"] = "CD3"
    table = run_test(make_counts(samples), samples, asked(BASELINE, samples), **SETTINGS)
    assert set(table["status"]) == {"too_few_patients"}
    assert set(table["n_test"]) == {0}


def test_cohort_without_myeloid_cells_says_so() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    counts.loc[counts["lineage"] == "monocytic", "n_cells"] = 0
    contrast = asked(BASELINE, samples)
    table = run_test(counts, samples, contrast, **SETTINGS)
    got = row(table, "LAMM", "monocytic")
    assert got["status"] == row(table, "LAMM", "all")["status"] == "no_cells"
    assert np.isnan(got["p"])
    assert row(table, "NK", "all")["status"] == "ok"
    assert "no such cells" in primary_sentence(table, contrast, denominator="monocytic")


def test_lamm_among_monocytic_is_not_separable_where_nearly_all_are() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    monocytes = {LAMM_TYPE: 400, "Macrophage": 10, "Classical_monocyte": 10}
    for population, n in (monocytes | {"LAMM": 400, "LAMM_positive": 100}).items():
        counts.loc[counts["population"] == population, "n_cells"] = n
    table = run_test(counts, samples, asked(BASELINE, samples), **SETTINGS)
    assert row(table, "LAMM", "monocytic")["status"] == "not_separable"
    assert np.isnan(row(table, "LAMM", "monocytic")["p"])
    assert row(table, "LAMM", "immune")["status"] == "ok"
    # at a level of fewer cells, and for a type, nothing stands in the way
    assert row(table, "LAMM_positive", "monocytic")["status"] != "not_separable"
    assert row(table, LAMM_TYPE, "monocytic")["status"] != "not_separable"


def test_lamm_cells_of_several_types_are_a_fraction_of_all_of_them() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    wide = counts[counts["partition"]].pivot(index="sample", columns="population", values="n_cells")
    n_lamm = wide[LAMM_TYPE] + wide["Classical_monocyte"] // 3
    is_lamm = counts["population"] == "LAMM"
    counts.loc[is_lamm, "n_cells"] = n_lamm[counts.loc[is_lamm, "sample"]].to_numpy()
    table = run_test(counts, samples, asked(BASELINE, samples), **SETTINGS)
    p = (n_lamm + 0.5) / (wide[MONOCYTIC].sum(axis=1) + 1.5)
    y = pd.Series(special.logit(p)).reindex(samples["sample"])
    pre = (samples["phase"] == "pre").to_numpy()
    expected = stats.ttest_ind(
        *(y[pre & (samples["response"] == arm).to_numpy()] for arm in ARMS), equal_var=False
    )
    got = row(table, "LAMM", "monocytic")
    assert got[["t", "p"]].tolist() == pytest.approx([expected.statistic, expected.pvalue])
    # the rows of LAMM cells overlap with those of types: these alone share a correction
    before = run_test(make_counts(samples), samples, asked(BASELINE, samples), **SETTINGS)
    types = table["population"].isin(BASE)
    np.testing.assert_array_equal(table.loc[types, "fdr"], before.loc[types, "fdr"])
    assert table.loc[types & (table["denominator"] == "all"), "fdr"].notna().all()
    assert table.loc[table["population"].str.startswith("LAMM"), "fdr"].isna().all()


def test_lamm_cells_are_tested_where_all_monocytic_cells_are_of_one_type() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    others = counts["population"].isin(["Macrophage", LAMM_TYPE])
    one_type = counts[~others].copy()
    table = run_test(one_type, samples, asked(BASELINE, samples), **SETTINGS)
    wide = one_type.pivot(index="sample", columns="population", values="n_cells")
    y: Any = np.log((wide["LAMM"] + 0.5) / (wide["Classical_monocyte"] - wide["LAMM"] + 0.5))
    y = y.reindex(samples["sample"])
    pre = (samples["phase"] == "pre").to_numpy()
    expected = stats.ttest_ind(
        *(y[pre & (samples["response"] == arm).to_numpy()] for arm in ARMS), equal_var=False
    )
    got = row(table, "LAMM", "monocytic")
    assert got["status"] == "ok"
    assert got["p"] == pytest.approx(expected.pvalue)
    # the type itself is all of its denominator
    assert row(table, "Classical_monocyte", "monocytic")["status"] == "no_variation"
    only = one_type[one_type["lineage"] == "monocytic"]
    table = run_test(only, samples, asked(BASELINE, samples), **SETTINGS)
    assert row(table, "monocytic", "immune")["status"] == "no_variation"
    assert row(table, "LAMM", "immune")["status"] == "ok"


def test_aliased_covariate_and_constant_population_have_a_status() -> None:
    samples = make_samples().assign(site=lambda t: t["response"].str[0])
    counts = make_counts(samples)
    table = run_test(counts, samples, asked({**BASELINE, "adjust": ["site"]}, samples), **SETTINGS)
    assert set(table["status"]) == {"aliased"}
    counts["n_cells"] = 50
    table = run_test(counts, samples, asked(BASELINE, samples), **SETTINGS)
    assert row(table, "NK", "all")["status"] == "no_variation"
    assert table["p"].isna().all()


def test_population_absent_in_one_arm_is_tested() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    responder = counts["sample"].str.startswith("r")
    counts.loc[responder & (counts["population"] == "Macrophage"), "n_cells"] = 0
    got = row(run_test(counts, samples, asked(BASELINE, samples), **SETTINGS), "Macrophage", "all")
    assert got["status"] == "ok"
    assert got["mean_reference"] == 0
    assert got["ci_low"] > 0


def test_detectable_difference_has_power_080() -> None:
    for df in (2, 4, 10, 30):
        shift = detectable_difference(0.3, df) / 0.3
        critical = stats.t.ppf(0.975, df)
        power = stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)
        assert power == pytest.approx(0.8, abs=1e-4)


def test_primary_row_is_the_logit_row_of_the_primary_denominator() -> None:
    samples = make_samples()
    table = run_test(make_counts(samples), samples, asked(BASELINE, samples), **SETTINGS)
    got = primary_row(table, denominator="immune")
    assert (got["population"], got["denominator"], got["scale"]) == ("LAMM", "immune", "logit")


def with_population(
    counts: pd.DataFrame, name: str, lineage: str, n_cells: pd.Series
) -> pd.DataFrame:
    """Add a population with `n_cells` per sample."""
    more = pd.DataFrame(
        {"sample": n_cells.index, "population": name, "n_cells": n_cells.to_numpy()}
    )
    return pd.concat([counts, more.assign(lineage=lineage, partition=True)], ignore_index=True)


@pytest.mark.parametrize("entry", [PAIRED, CHANGE])
def test_plasma_cells_left_alone_in_their_lineage_crash_nothing(entry: dict[str, str]) -> None:
    samples = make_samples(4)
    plasma = pd.Series(50, index=samples["sample"])
    counts = with_population(make_counts(samples), "Plasma", "B", plasma)
    table = run_test(counts, samples, asked(entry, samples), **SETTINGS)
    assert not ((table["denominator"] == "parent") & (table["population"] == "Plasma")).any()
    assert row(table, "Plasma", "all")["status"] == "ok"


def test_cells_of_a_patient_that_is_left_out_are_no_evidence() -> None:
    samples = make_samples(4)
    counts = make_counts(samples)
    dropped = counts["sample"] == "r0_pre"
    counts.loc[dropped, "n_cells"] = 0
    rare = pd.Series(0, index=samples["sample"])
    rare["r0_pre"] = 10
    counts = with_population(counts, "Rare", "NK", rare)
    table = run_test(counts, samples, asked(BASELINE, samples), **SETTINGS)
    assert row(table, "Rare", "all")["status"] == "no_cells"
    assert np.isnan(row(table, "Rare", "all")["p"])


def test_a_population_too_rare_for_the_thinnest_side_has_no_p() -> None:
    samples = make_samples(4)
    counts = make_counts(samples)
    one_each = with_population(counts, "Rare", "NK", pd.Series(1, index=samples["sample"]))
    rare = row(run_test(one_each, samples, asked(BASELINE, samples), **SETTINGS), "Rare", "all")
    assert rare["status"] == "too_few_cells"
    assert np.isnan(rare["p"])
    # absent in one arm but plentiful in the other is a difference, and is tested
    only: Any = samples.set_index("sample")["response"].map({"responder": 0, "non_responder": 200})
    only *= np.linspace(0.8, 1.2, len(only))
    found: Any = with_population(counts, "Rare", "NK", only.astype(int))
    found = row(run_test(found, samples, asked(BASELINE, samples), **SETTINGS), "Rare", "all")
    assert found["status"] == "ok"
    assert found["estimate"] > 2


def test_the_exclusion_before_and_after_infusion_holds_whatever_column_names_the_phases() -> None:
    samples = make_samples(6)
    counts = make_counts(samples, B=np.where(samples["phase"] == "post", -3.0, 0.0))
    by_phase = run_test(counts, samples, asked(PAIRED, samples), **SETTINGS)
    entry = {**PAIRED, "column": "timepoint"}
    by_timepoint = run_test(counts, samples, asked(entry, samples), **SETTINGS)
    for denominator in ("all", "immune"):
        assert row(by_timepoint, "NK", denominator)["estimate"] == pytest.approx(
            row(by_phase, "NK", denominator)["estimate"]
        )


def test_excluded_monocytic_types_leave_numerator_and_denominator() -> None:
    samples = make_samples(4)
    settings = {**SETTINGS, "exclude_pre_post": ["B", "Macrophage"]}
    counts = make_counts(samples)
    table = run_test(counts, samples, asked(PAIRED, samples), **settings)
    got = row(table, "monocytic", "all")["mean_test"]
    wide = counts.pivot(index="sample", columns="population", values="n_cells")
    post = wide[[name.endswith("_post") for name in wide.index]]
    members = [name for name in BASE if name not in ("B", "Macrophage")]
    monocytes = [name for name in members if LINEAGE[name] == "monocytic"]
    share = post[monocytes].sum(axis=1) / post[members].sum(axis=1)
    assert got == pytest.approx(share.mean())
    # LAMM cells may be of the excluded type, so that it stays in their denominator
    got = row(table, "LAMM", "all")["mean_test"]
    share = post["LAMM"] / post[[*members, "Macrophage"]].sum(axis=1)
    assert got == pytest.approx(share.mean())
    settings["exclude_pre_post"] = ["Classical_monocyte", "Macrophage", LAMM_TYPE]
    table = run_test(counts, samples, asked(PAIRED, samples), **settings)
    got = row(table, "LAMM", "monocytic")
    assert got["status"] == "ok"
    assert got["mean_test"] == pytest.approx((post["LAMM"] / post[MONOCYTIC].sum(axis=1)).mean())


@pytest.mark.parametrize(
    ("label", "sorts", "refused"),
    [
        ("CD3+", {}, {"monocytic"}),
        ("CD14+", {}, {"T", "parent"}),
        ("gate", {"gate": ["malignant"]}, {"monocytic", "T", "parent", "immune"}),
        ("gate", {"gate": "all"}, set()),
    ],
)
def test_what_a_sort_removed_is_no_denominator(
    label: str, sorts: dict[str, Any], refused: set[str]
) -> None:
    samples = make_samples().assign(sort=lambda t: t["phase"].map({"pre": "none", "post": label}))
    entry = {"kind": "paired", "column": "sort", "test": "none", "reference": label, "match": []}
    settings = SETTINGS | {"sorts": sorts}
    table = run_test(make_counts(samples), samples, asked(entry, samples), **settings)
    lost = table["status"] == "sorted_out"
    assert set(table.loc[lost, "denominator"]) == refused
    assert not (set(table.loc[~lost, "denominator"]) & refused)
    assert (table.loc[table["denominator"] == "all", "status"] == "ok").all()
    assert table.loc[lost, ["estimate", "p", "fdr", "mean_test", "p_floor"]].isna().all(axis=None)
    assert table.loc[lost, "reason"].str.contains(f"sorting for {label} removed", regex=False).all()
    assert (table.loc[lost, "n_test"] == 12).all()


@pytest.mark.parametrize("entry", [BASELINE, PAIRED, CHANGE], ids=["between", "paired", "change"])
def test_rows_carry_a_permutation_p_and_the_range_without_each_patient(
    entry: dict[str, Any],
) -> None:
    samples = make_samples()
    one_patient = (samples["patient"] == "n3") & (samples["phase"] == "post")
    counts = make_counts(samples, LAMM=np.where(one_patient, 2.0, 0.0))
    table = run_test(counts, samples, asked(entry, samples), **SETTINGS)
    tested = table[table["status"] == "ok"]
    assert (tested["p_permutation"] >= tested["p_floor"] - 1e-12).all()
    # of twelve patients the two tests are close where values are near normal
    assert (tested["p"] - tested["p_permutation"]).abs().median() < 0.03
    assert (tested["influence_low"] <= tested["estimate"]).all()
    assert (tested["influence_high"] >= tested["estimate"]).all()
    assert set(tested["influence_patient"]) <= set(samples["patient"])
    untested = table[table["status"] != "ok"]
    assert untested[["p_permutation", "influence_p_max"]].isna().all(axis=None)
    if entry is not BASELINE:
        lamm = row(table, "LAMM", "monocytic")
        rest = samples[samples["patient"] != "n3"]
        kept = counts[counts["sample"].isin(rest["sample"])]
        without = row(run_test(kept, rest, asked(entry, rest), **SETTINGS), "LAMM", "monocytic")
        assert lamm["influence_low"] == pytest.approx(without["estimate"])


def test_a_row_says_which_patient_a_finding_hangs_on() -> None:
    samples = make_samples()
    counts = make_counts(samples, LAMM=np.where(samples["response"] == "non_responder", 0.9, 0.0))
    contrast = asked(BASELINE, samples)
    lamm = row(run_test(counts, samples, contrast, **SETTINGS), "LAMM", "monocytic")
    p: Any = {}
    for patient in samples["patient"].unique():
        rest = samples[samples["patient"] != patient]
        kept = counts[counts["sample"].isin(rest["sample"])]
        p[patient] = row(run_test(kept, rest, contrast, **SETTINGS), "LAMM", "monocytic")["p"]
    assert lamm["influence_patient"] == max(p, key=p.get)
    assert lamm["influence_p_max"] == pytest.approx(max(p.values()))
