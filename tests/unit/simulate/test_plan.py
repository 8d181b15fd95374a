"""Planned fractions and profiles: what is planted stands in them, and capture differs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.simulate.droplets import MONOCYTIC_TYPES
from lammscope.simulate.effects import effect_table
from lammscope.simulate.plan import (
    CohortSettings,
    capture_factors,
    draw_fractions,
    plan_library,
    plan_samples,
)
from lammscope.simulate.profiles import read_programs

PROGRAMS = read_programs()
SMALL = CohortSettings(patients_per_arm=1, cells=60)


def drawn(settings: CohortSettings) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return patients, samples and fractions of a cohort."""
    patients, samples = plan_samples(settings)
    fractions = draw_fractions(settings, PROGRAMS, patients=patients, samples=samples)
    return patients, samples, fractions


def test_planted_log_odds_are_the_mean_of_what_is_drawn() -> None:
    settings = CohortSettings(patients_per_arm=150)
    patients, _, fractions = drawn(settings)
    np.testing.assert_allclose(fractions.sum(axis=1), 1)
    lamm: Any = fractions["LAMM"] / fractions[list(MONOCYTIC_TYPES)].sum(axis=1)
    odds = np.log(lamm / (1 - lamm)).to_numpy().reshape(-1, 2)  # patients x (pre, post)
    is_test = (patients["arm"] == "non_responder").to_numpy()
    pre = odds[is_test, 0].mean() - odds[~is_test, 0].mean()
    post = odds[is_test, 1].mean() - odds[~is_test, 1].mean()
    assert pre == pytest.approx(1.5, abs=0.15)  # standard error 0.044
    assert post == pytest.approx(2.3, abs=0.15)
    assert (odds[~is_test, 1] - odds[~is_test, 0]).mean() == pytest.approx(0, abs=0.05)
    assert odds[~is_test, 0].std() == pytest.approx(np.hypot(0.35, 0.15), abs=0.05)


def test_planted_log_odds_of_positive_cells_are_those_among_immune_cells() -> None:
    settings = CohortSettings(patients_per_arm=150, monocytic_log_odds=0.9)
    patients, samples, fractions = drawn(settings)
    immune = fractions.drop(columns=["Malignant_B", "Platelet"]).sum(axis=1)
    positive = fractions[list(MONOCYTIC_TYPES)].sum(axis=1)
    odds = np.log(positive / (immune - positive)).to_numpy().reshape(-1, 2)
    is_test = (patients["arm"] == "non_responder").to_numpy()
    for phase in (0, 1):
        difference = odds[is_test, phase].mean() - odds[~is_test, phase].mean()
        assert difference == pytest.approx(0.9, abs=0.1)  # standard error 0.034
    middle = (odds[is_test].mean() + odds[~is_test].mean()) / 2
    assert 1 / (1 + np.exp(-middle)) == pytest.approx(0.3, abs=0.02)
    effects = effect_table(
        settings, PROGRAMS, patients=patients, samples=samples, fractions=fractions
    ).set_index(["denominator", "population", "contrast"])
    row: Any = effects.loc[("immune", "LAMM_positive", "baseline")]
    expected = odds[is_test, 0].mean() - odds[~is_test, 0].mean()
    assert row["realised"] == pytest.approx(expected)
    assert (row["planted"], row["kind"]) == (0.9, "planted")
    assert effects.loc[("immune", "LAMM_positive", "change"), "planted"] == 0
    assert effects.loc[("immune", "CD4_T", "baseline"), "kind"] == "compositional"
    assert effects.loc[("immune", "LAMM_positive", "change"), "kind"] == "none"
    assert ("monocytic", "LAMM_positive", "baseline") not in effects.index


def test_planted_log_odds_hold_without_some_types() -> None:
    ordinary = tuple(name for name in MONOCYTIC_TYPES if name != "LAMM")
    for without in (ordinary, ("LAMM", "Platelet"), ("CD4_T", "B")):
        settings = CohortSettings(patients_per_arm=100, without=without)
        patients, samples, fractions = drawn(settings)
        np.testing.assert_allclose(fractions.sum(axis=1), 1)
        assert (fractions[list(without)] == 0).all(axis=None)
        effects = effect_table(
            settings, PROGRAMS, patients=patients, samples=samples, fractions=fractions
        ).set_index(["denominator", "population", "contrast"])
        row: Any = effects.loc[("immune", "LAMM_positive", "baseline")]
        assert row["realised"] == pytest.approx(row["planted"], abs=0.15)


def test_cohorts_of_monocytic_cells_alone_can_be_drawn() -> None:
    others = tuple(name for name in PROGRAMS.types.index if name not in MONOCYTIC_TYPES)
    _, _, fractions = drawn(replace(SMALL, without=others))
    np.testing.assert_allclose(fractions[list(MONOCYTIC_TYPES)].sum(axis=1), 1)


def test_the_capture_of_defining_and_state_genes_differs_twofold_between_libraries() -> None:
    settings = CohortSettings(patients_per_arm=100)
    factors = capture_factors(settings, n_samples=400)
    assert 0.95 < factors.max() / factors.min() / 2 < 1
    assert np.log(factors).mean() == pytest.approx(0, abs=0.03)  # standard error 0.01
    assert np.log(factors).std() == pytest.approx(np.log(2) / np.sqrt(12), rel=0.1)
    patients, _, _ = drawn(settings)
    is_test = np.repeat((patients["arm"] == "non_responder").to_numpy(), 2)
    difference = np.log(factors[is_test]).mean() - np.log(factors[~is_test]).mean()
    assert abs(difference) < 0.06  # standard error 0.02
    assert (capture_factors(replace(settings, capture_range=1.0), n_samples=5) == 1).all()


def test_capture_changes_the_genes_of_lamm_and_few_others() -> None:
    settings = replace(SMALL, capture_sd=0.0)
    patients, samples, fractions = drawn(settings)
    found = [
        plan_library(
            settings,
            PROGRAMS,
            patient=pd.Series(patients.iloc[0], name="P01"),
            sample=samples.iloc[0],
            fractions={str(name): float(x) for name, x in fractions.iloc[0].items()},
            capture=capture,
        ).profiles
        for capture in (0.7, 1.4)
    ]
    row = PROGRAMS.types.index.get_loc("LAMM")
    ratio = found[1][row] / np.maximum(found[0][row], 1e-12)
    expressed = found[0][row] > 0
    assert np.allclose(ratio[PROGRAMS.captured], 2, rtol=0.03)  # less what others must give
    assert np.allclose(ratio[~PROGRAMS.captured & expressed], 1, rtol=0.03)
