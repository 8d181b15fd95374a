"""Gather the LAMM results of a run: the pre-specified primary result and the secondary ones."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lammscope.core.names import LAMM, LAMM_SCORE, LEVELS
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
        The configured level, at which `LAMM` is counted. Rows of the other level and of the mean
        score are included.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, the primary row first. `role` is primary or secondary. `p_holm` is p
        adjusted by Holm's method over all tested secondary rows of the run; the primary row is
        fixed in advance and not corrected. The arcsine scale is left to the robustness table, since
        it tests the same differences again.
    """
    (other,) = (f"LAMM_{each}" for each in LEVELS if each != level)
    tables = [
        table[
            table["population"].isin([LAMM, LAMM_SCORE, other]) & (table["scale"] != "arcsine")
        ].assign(contrast=name)
        for name, table in abundance.items()
    ]
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    rows = pd.concat(tables, ignore_index=True)
    is_primary = (
        (rows["contrast"] == primary["contrast"])
        & (rows["denominator"] == primary["denominator"])
        & (rows["population"] == LAMM)
    )
    rows["role"] = np.where(is_primary, "primary", "secondary")
    rows["p_holm"] = holm(rows["p"].mask(is_primary))
    return rows.sort_values("role", kind="stable", ignore_index=True)[COLUMNS]
