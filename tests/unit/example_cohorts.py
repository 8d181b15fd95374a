"""Example sample tables for tests of contrasts."""

from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.contrasts import Contrast

ARMS = {"kind": "between", "test": "non_responder", "reference": "responder"}
BASELINE = {**ARMS, "where": {"phase": "pre"}}
PAIRED = {"kind": "paired", "test": "post", "reference": "pre"}
CHANGE = {**ARMS, "kind": "change"}


def cohort(n_per_arm: int = 4, **columns: Any) -> pd.DataFrame:
    """Make patients R1.. and N1.., each before and after infusion."""
    rows = [
        {"patient": f"{arm}{i}", "timepoint": timepoint, "arm": arm}
        for arm in "RN"
        for i in range(1, n_per_arm + 1)
        for timepoint in ("D0", "D7")
    ]
    table = pd.DataFrame(rows)
    table["sample"] = table["patient"] + "_" + table["timepoint"]
    table["phase"] = table["timepoint"].map({"D0": "pre", "D7": "post"})
    table["response"] = table["arm"].map({"R": "responder", "N": "non_responder"})
    table["response_label"] = table["arm"].map({"R": "CR", "N": "PD"})
    table["product"] = np.where(table["patient"].str[1:].astype(int) % 2, "axi", "tisa")
    table["batch"], table["channel"], table["counts"] = table["sample"], table["sample"], "x.h5"
    table["compartment"], table["sort"] = "blood", "none"
    table["day"] = table["timepoint"].map({"D0": 0, "D7": 7})
    return table.drop(columns="arm").assign(**columns)


def make_samples(n_per_arm: int = 6) -> pd.DataFrame:
    """Make patients `r0`, `n0`, ... of two arms, each before and after infusion."""
    rows = [
        {
            "sample": f"{arm[0]}{i}_{phase}",
            "patient": f"{arm[0]}{i}",
            "timepoint": phase,
            "phase": phase,
            "response": arm,
            "response_label": arm,
            "product": "axi" if i % 2 else "tisa",
        }
        for arm in ("responder", "non_responder")
        for i in range(n_per_arm)
        for phase in ("pre", "post")
    ]
    return pd.DataFrame(rows).assign(compartment="blood", sort="none", batch="b", counts="x.h5")


def asked(entry: dict[str, Any], samples: pd.DataFrame) -> Contrast:
    """Return the contrast of an entry of the config."""
    return contrasts_from_config({"question": entry}, samples)[0]
