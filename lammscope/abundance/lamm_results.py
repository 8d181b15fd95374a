"""The LAMM results of a whole run in one table: the pre-specified one, and the secondary ones."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lammscope.stats.multiplicity import holm

COLUMNS = [
    *("contrast", "population", "denominator", "scale", "role", "estimate", "ci_low", "ci_high"),
    *("p", "p_holm", "p_permutation", "p_floor", "n_test", "n_reference", "influence_low"),
    *("influence_high", "influence_patient", "influence_p_max", "detectable", "status", "verdict"),
]


def gather_lamm(
    abundance: Mapping[str, pd.DataFrame], *, primary: Mapping[str, str], level: str
) -> pd.DataFrame:
    """Gather the LAMM rows of all contrasts.

    Parameters
    ----------
    abundance
        Tables of `populations.test_abundance` by contrast.
    primary
        `contrast` and `denominator` of the pre-specified result.
    level
        The configured level. `LAMM` is counted at it; the row of the other level stands beside.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, the primary row first. `role` is primary or secondary; `p_holm` is
        p after Holm's correction over every tested secondary row of the run (the primary row, which
        is fixed in advance, takes no part). Rows on the arcsine scale belong to the robustness
        table: they ask the same questions again.
    """
    other = "LAMM_positive" if level == "elevated" else "LAMM_elevated"
    tables = [
        table[table["population"].isin(["LAMM", other]) & (table["scale"] != "arcsine")].assign(
            contrast=name
        )
        for name, table in abundance.items()
    ]
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    rows = pd.concat(tables, ignore_index=True)
    is_primary = (
        (rows["contrast"] == primary["contrast"])
        & (rows["denominator"] == primary["denominator"])
        & (rows["population"] == "LAMM")
    )
    rows["role"] = np.where(is_primary, "primary", "secondary")
    rows["p_holm"] = holm(rows["p"].mask(is_primary))
    return rows.sort_values("role", kind="stable", ignore_index=True)[COLUMNS]
