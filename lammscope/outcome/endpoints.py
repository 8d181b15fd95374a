"""Follow-up of patients: one row each, with what is missing."""

import pandas as pd

from lammscope.cohort.follow_up import Endpoint, read_follow_up

NO_ARM = "neither"  # arm of a patient whose response is in neither arm, or not known
NO_FOLLOW_UP = "no follow-up"


def patient_follow_up(samples: pd.DataFrame, endpoint: Endpoint) -> pd.DataFrame:
    """Return the follow-up of each patient, sorted by patient.

    Parameters
    ----------
    samples
        The sample table, which has the columns of the patient sheet.
    endpoint
        The columns to read.

    Returns
    -------
    DataFrame
        Index `patient`; `arm` (responder, non_responder or `NO_ARM`), `time` (days from infusion),
        `cause` (0 censored, 1 event, 2 competing event) and `reason` why there is none, else "".
    """
    patients = samples.drop_duplicates("patient").set_index("patient").sort_index()
    table = read_follow_up(patients, endpoint)
    is_known = table.notna().all(axis=1)
    table["reason"] = is_known.map({True: "", False: NO_FOLLOW_UP})
    table.insert(0, "arm", patients["response"].fillna(NO_ARM))
    return table
