"""The weighted test compared with R's metafor."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.stats import Array
from lammscope.stats.weighted import WeightedEffect, weighted_test

GOLDEN = Path(__file__).parent / "weighted"
EXACT = 1e-5
COLUMNS = {"between": ["arm"], "adjusted": ["arm", "age"], "paired": [], "trend": ["age"]}


def fit(model: str, features: pd.Series, *, one_variance: bool) -> WeightedEffect:
    """Test the features of `make_weighted.R`."""
    units = pd.read_csv(GOLDEN / "units.csv")
    design: Array = np.column_stack([np.ones(len(units)), *(units[c] for c in COLUMNS[model])])
    values, sampling = (units[letter + features].to_numpy().T for letter in "yv")
    return weighted_test(
        values, sampling, design, int(model != "paired"), one_variance=one_variance
    )


def golden(model: str, variances: str) -> pd.DataFrame:
    """Return the results of R."""
    table = pd.read_csv(GOLDEN / "effects.csv", dtype={"feature": str})
    return table.query(f"model == '{model}' & variances == '{variances}'")


def check(got: WeightedEffect, expected: pd.DataFrame) -> None:
    """Compare estimates, and standard errors and p with and without what weights add."""
    for name in ("estimate", "df", "added"):
        np.testing.assert_allclose(
            getattr(got, name), expected[name], rtol=EXACT, atol=1e-12, err_msg=name
        )
    known = np.sqrt(got.se**2 - got.added)
    np.testing.assert_allclose(known, expected["se"], rtol=EXACT)
    p = 2 * stats.t.sf(np.abs(got.estimate / known), got.df)
    np.testing.assert_allclose(p, expected["p"], rtol=EXACT)
    whole = np.sqrt(expected["se"] ** 2 + expected["added"])
    p = 2 * stats.t.sf(np.abs(expected["estimate"] / whole), expected["df"])
    np.testing.assert_allclose(got.p, p, rtol=EXACT)


@pytest.mark.parametrize("model", COLUMNS)
def test_one_variance_is_knapp_and_hartung_of_metafor(model: str) -> None:
    expected = golden(model, "one")
    got = fit(model, expected["feature"], one_variance=True)
    check(got, expected)
    np.testing.assert_allclose(got.between[0], expected["tau2_first"], rtol=EXACT, atol=1e-8)


def test_arms_without_covariates_are_two_analyses_of_metafor() -> None:
    expected = golden("between", "two")
    check(fit("between", expected["feature"], one_variance=False), expected)


@pytest.mark.parametrize("model", ["between", "adjusted"])
def test_variances_of_arms_are_those_of_a_joint_fit_in_metafor(model: str) -> None:
    expected = golden(model, "mv")
    got = fit(model, expected["feature"], one_variance=False)
    np.testing.assert_allclose(got.estimate, expected["estimate"], rtol=EXACT)
    for arm, name in zip(got.between, ("tau2_first", "tau2_second"), strict=True):
        np.testing.assert_allclose(arm, expected[name], rtol=1e-4, atol=1e-6)


def test_some_variances_between_patients_are_0_in_r() -> None:
    first = golden("between", "two")[["tau2_first", "tau2_second"]]
    assert 0.1 < (first < 1e-8).to_numpy().mean() < 0.6
