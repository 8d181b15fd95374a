"""Cohorts with follow-up whose hazard follows LAMM cells, for tests of survival."""

from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.follow_up import Endpoint
from lammscope.cohort.permutation import Permutations
from lammscope.outcome.analyses import Settings
from lammscope.outcome.survival import Survival, test_survival
from tests.unit.example_cohorts import cohort

PFS = Endpoint("pfs", "pfs_days", "pfs_event")
N_CELLS = 400


def followed(
    n_per_arm: int = 6, *, effect: float = 1.5, seed: int = 1, **columns: Any
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return samples, counts and scores; the log hazard rises by `effect` per log odds."""
    rng = np.random.default_rng(seed)
    samples = cohort(n_per_arm)
    patients = samples["patient"].unique()
    odds = dict(zip(patients, rng.normal(-1, 1, len(patients)), strict=True))
    days = {
        name: 10 + rng.exponential(200 * np.exp(-effect * (value + 1)))
        for name, value in odds.items()
    }
    own = samples["patient"].map(days)
    samples = samples.assign(pfs_days=own.clip(upper=500).round(), pfs_event=(own < 500) * 1)
    samples = samples.assign(ldh=100.0 + np.arange(len(samples)) // 2, **columns)
    share = 1 / (1 + np.exp(-samples["patient"].map(odds).to_numpy()))
    lamm = np.round(share * N_CELLS / 2).astype(int)
    parts = [
        ("Classical_monocyte", "monocytic", 1, np.full(len(samples), N_CELLS // 2)),
        ("CD8_T", "T", 1, np.full(len(samples), N_CELLS // 2)),
        *((name, "monocytic", 0, lamm) for name in ("LAMM", "LAMM_positive")),
    ]
    counts = pd.concat(
        pd.DataFrame(
            {
                "sample": samples["sample"],
                "population": name,
                "lineage": lineage,
                "n_cells": number,
                "partition": whole,
            }
        )
        for name, lineage, whole, number in parts
    )
    scores = pd.DataFrame(
        {"sample": samples["sample"], "total_score": share * 50, "n_scored": N_CELLS // 2}
    )
    return samples, counts, scores


def settings(**changes: Any) -> Settings:
    """Return settings of tests, with changes."""
    values: dict[str, Any] = {
        "denominator": "immune",
        "adjust": (),
        "where": {},
        "response_day": 30,
        "horizon": 0,
        "timepoints": {"pre": ["D0"], "post": ["D7"]},
        "min_cells": 20,
        "exclude_pre_post": [],
        "sorts": {},
    }
    return Settings(**(values | changes))


def analyze(
    tables: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    *endpoints: Endpoint,
    n_draws: int = 500,
    **changes: Any,
) -> Survival:
    """Test a cohort."""
    return test_survival(
        *tables,
        endpoints=endpoints or (PFS,),
        settings=settings(**changes),
        permutations=Permutations(1000, n_draws, 1),
    )
