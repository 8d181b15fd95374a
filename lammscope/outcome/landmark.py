"""Landmarks: what is known only later must not be compared with what happened before.

Whoever gives a sample, or a response, on day 30 was alive and followed until day 30. To count these
days in one group and not in the other makes that group look better without any effect (immortal
time; Anderson et al. 1983, doi 10.1200/JCO.1983.1.11.710; Dafni 2011, doi
10.1161/CIRCOUTCOMES.110.957951). So each patient's clock starts on the day of the landmark, and
those without further follow-up are left out and listed.
"""

import numpy as np
import pandas as pd

from lammscope.cohort.follow_up import CENSORED

NO_DAY = "the day of the sample is not known"
EARLIER = {True: "censored by the day of the landmark", False: "event by the day of the landmark"}


def start_at(follow_up: pd.DataFrame, day: pd.Series) -> pd.DataFrame:
    """Start the clock of each patient at their own landmark.

    Parameters
    ----------
    follow_up
        From `endpoints.patient_follow_up`.
    day
        Days from infusion by patient; missing if not known.

    Returns
    -------
    DataFrame
        The same rows with `time` from the landmark. Patients who had an event, or were censored, by
        then have a `reason` and no time: they could not have been in the other group.
    """
    own = day.reindex(follow_up.index).astype(float)
    left = follow_up["time"] - own
    is_over, is_known = left <= 0, follow_up["reason"] == ""
    reasons = follow_up["reason"].mask(is_known & own.isna(), NO_DAY)
    censored = follow_up["cause"] == CENSORED
    reasons = reasons.mask(is_known & is_over, censored.map(EARLIER))
    return follow_up.assign(time=left.where(reasons == "", np.nan), reason=reasons)
