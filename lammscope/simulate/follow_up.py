"""Follow-up of simulated patients: progression or death, whose hazard rises with LAMM cells."""

import numpy as np
import pandas as pd

from lammscope.simulate.droplets import MONOCYTIC_TYPES
from lammscope.simulate.plan import CohortSettings
from lammscope.simulate.profiles import LAMM

STREAM = 9  # of random numbers; others belong to `plan`
RESPONSE_DAY = 30  # response is known then, and nobody progresses before
MEDIAN_DAYS = 300.0  # to progression, at the mean log odds of the cohort; after `RESPONSE_DAY`
MEDIAN_SURVIVAL = 240.0  # after progression
FIRST_CENSORED, LAST_CENSORED = 540.0, 1100.0  # days from infusion, at the date of analysis
LEAST = 1e-4  # fraction of LAMM cells whose log odds are still told apart


def draw_follow_up(
    settings: CohortSettings,
    *,
    patients: pd.DataFrame,
    samples: pd.DataFrame,
    fractions: pd.DataFrame,
) -> pd.DataFrame:
    """Draw progression-free and overall survival of each patient, in days from infusion.

    The hazard of progression is constant after `RESPONSE_DAY`. It is multiplied by
    exp(`settings.hazard_log_ratio`) for each unit of the expected log odds of LAMM among monocytic
    cells in the patient's first sample. All who progress die later, and a date of analysis censors.

    Returns
    -------
    DataFrame
        `pfs_days`, `pfs_event`, `os_days` and `os_event`, one row per patient.
    """
    odds = _log_odds(samples, fractions).reindex(patients["patient"]).to_numpy(dtype=float)
    rate = np.exp(settings.hazard_log_ratio * (odds - odds.mean())) * np.log(2) / MEDIAN_DAYS
    rows = []
    for number, own in enumerate(rate):
        seed = np.random.SeedSequence((settings.seed, STREAM, number))
        rng = np.random.default_rng(seed)
        progression = RESPONSE_DAY + 1 + rng.standard_exponential() / own
        death = progression + rng.standard_exponential() * MEDIAN_SURVIVAL / np.log(2)
        censored = rng.uniform(FIRST_CENSORED, LAST_CENSORED)
        row: dict[str, int] = {}
        for name, day in (("pfs", progression), ("os", death)):
            row |= {f"{name}_days": int(min(day, censored)), f"{name}_event": int(day < censored)}
        rows.append(row)
    return pd.DataFrame(rows, index=patients.index)


def _log_odds(samples: pd.DataFrame, fractions: pd.DataFrame) -> pd.Series:
    """Return the log odds of LAMM among monocytic cells in the first sample of each patient."""
    first = samples.drop_duplicates("patient")
    own = fractions.loc[first["sample"]]
    monocytic = own[list(MONOCYTIC_TYPES)].sum(axis=1).to_numpy()
    lamm = own[LAMM].to_numpy() / np.where(monocytic > 0, monocytic, 1.0)
    share = np.clip(lamm, LEAST, 1 - LEAST)
    return pd.Series(np.log(share / (1 - share)), index=first["patient"].to_numpy())
