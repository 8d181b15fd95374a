"""Simulated follow-up: the planted hazard, and dates that fit together."""

import numpy as np
import pandas as pd
import pytest

from lammscope.simulate.droplets import MONOCYTIC_TYPES
from lammscope.simulate.follow_up import RESPONSE_DAY, draw_follow_up
from lammscope.simulate.plan import CohortSettings, draw_fractions, plan_samples
from lammscope.simulate.profiles import read_programs
from lammscope.stats.cox import firth_cox

PROGRAMS = read_programs()
MONOCYTES = list(MONOCYTIC_TYPES)


def drawn(settings: CohortSettings) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the follow-up of a cohort and the log odds of LAMM of each patient's first sample."""
    patients, samples = plan_samples(settings)
    fractions = draw_fractions(settings, PROGRAMS, patients=patients, samples=samples)
    found = draw_follow_up(settings, patients=patients, samples=samples, fractions=fractions)
    first = fractions.loc[samples.drop_duplicates("patient")["sample"]]
    lamm, monocytic = (first[names].sum(axis=1).to_numpy() for names in (["LAMM"], MONOCYTES))
    return found, np.log(np.maximum(lamm, 1e-9) / (monocytic - lamm))


@pytest.mark.parametrize("planted", [1.0, 0.0])
def test_the_planted_log_hazard_ratio_is_found_again(planted: float) -> None:
    found, odds = drawn(CohortSettings(patients_per_arm=150, hazard_log_ratio=planted))
    fit = firth_cox(
        found["pfs_days"].to_numpy(dtype=float), found["pfs_event"].to_numpy() == 1, odds
    )
    assert fit.ci_low < planted < fit.ci_high
    assert fit.estimate == pytest.approx(planted, abs=0.25)


def test_nobody_progresses_before_the_response_or_after_death() -> None:
    found, _ = drawn(CohortSettings(patients_per_arm=40))
    assert (found["pfs_days"] > RESPONSE_DAY).all()
    assert (found["os_days"] >= found["pfs_days"]).all()
    died = found["os_event"] == 1
    assert (found.loc[died, "pfs_event"] == 1).all()


def test_a_cohort_without_lamm_cells_has_follow_up_too() -> None:
    found, _ = drawn(CohortSettings(without=("LAMM",)))
    assert found.notna().all(axis=None)
