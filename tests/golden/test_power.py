"""Power compared with R's propeller, at the same true false-positive rate.

`propeller/p.tsv.gz` was written by `benchmarks/abundance_power.R` from tables drawn by
`benchmarks.abundance_power`.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.abundance_power import (
    KEPT,
    LAMM,
    SETTINGS,
    TABLE,
    draw,
    found_shares,
    moderated_p,
    our_p,
)
from benchmarks.count_tables import LAMM_TYPE, contrast_of, keys_of, lineages, run_whole

GOLDEN = Path(__file__).parent / "propeller" / "p.tsv.gz"
N_TABLES = 4000
UNKEPT = [setting for setting in SETTINGS if setting not in KEPT]


@cache
def tables(setting: str) -> pd.DataFrame:
    """Return R's p and ours for each table of a setting."""
    r = pd.read_csv(GOLDEN, sep="\t")
    ours = our_p([setting], n_tables=N_TABLES)
    return r[r["setting"] == setting].merge(
        ours, on=TABLE, suffixes=("", "_ours"), validate="one_to_one"
    )


@cache
def found(setting: str) -> Any:
    return found_shares(tables(setting)).loc[setting]


@pytest.mark.parametrize("setting", SETTINGS)
def test_tables_are_those_that_r_saw(setting: str) -> None:
    p = tables(setting)
    assert len(p) == 2 * N_TABLES
    # if random numbers change, R's p must be computed again: run benchmarks/abundance_power
    np.testing.assert_array_equal(p["n_lamm"], p["n_lamm_ours"])


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("robust", "column"), [(True, "p"), (False, "p_not_robust")])
def test_moderated_p_is_that_of_limma(setting: str, robust: bool, column: str) -> None:
    n_tables = 20 if robust else 100  # the robust prior is slow
    samples, counts = draw(setting, planted=True, n_tables=n_tables)
    lamm = list(lineages(LAMM)).index(LAMM_TYPE)
    p = tables(setting).query(f"planted == 1 and table < {n_tables}")[column]
    tolerance = 1e-4 if robust else 1e-6
    got = moderated_p(counts, samples, lamm, robust=robust)
    np.testing.assert_allclose(got, p, rtol=tolerance, atol=1e-9)


def test_both_p_are_those_of_the_abundance_table() -> None:
    p = tables("others as LAMM").query("planted == 1 and table == 3").iloc[0]
    samples, counts = draw("others as LAMM", planted=True, n_tables=4)
    lineage = lineages(LAMM)
    contrast = contrast_of("between", samples)
    table = run_whole(counts[3], samples, contrast, lineage, permute=False)
    called, of_type = (
        table.iloc[keys_of(table).index((name, "all", "logit"))] for name in ("LAMM", LAMM_TYPE)
    )
    assert called["p"] == pytest.approx(p["row p, all"], rel=1e-9)
    assert of_type["p"] == pytest.approx(called["p"], rel=1e-12)  # rows differ in the last bit
    # only populations that are parts of a whole are moderated together
    assert of_type["p_moderated"] == pytest.approx(p["p_not_robust"], rel=1e-6)
    assert np.isnan(called["p_moderated"])


@pytest.mark.parametrize("setting", KEPT)
def test_row_finds_95_per_cent_of_what_propeller_finds(setting: str) -> None:
    assert found(setting)["propeller"] > 0.8
    assert found(setting)["ratio"] >= 0.95


@pytest.mark.parametrize("setting", UNKEPT)
def test_row_finds_nine_tenths_where_equal_or_wide_spread_favours_moderation(setting: str) -> None:
    assert found(setting)["ratio"] >= 0.9


@pytest.mark.parametrize("setting", SETTINGS)
def test_moderated_p_finds_95_per_cent_of_what_propeller_finds(setting: str) -> None:
    assert found(setting)["ratio, p_moderated"] >= 0.95


@pytest.mark.parametrize("setting", SETTINGS)
def test_p_of_the_row_can_be_taken_at_its_word(setting: str) -> None:
    assert 0.035 <= found(setting)["null < 0.05, row p, all"] <= 0.07
