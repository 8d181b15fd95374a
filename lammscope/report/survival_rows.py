"""Words for the rows of the tables of survival."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lammscope.core.names import LAMM
from lammscope.core.words import denominator_words, readable, write_number
from lammscope.outcome.names import BASELINE, RESPONSE

ENDPOINTS = {"pfs": "progression-free survival", "os": "overall survival"}


def endpoint_words(name: object) -> str:
    """Return an endpoint in words."""
    return ENDPOINTS.get(str(name), readable(name))


def endpoint_name(name: object) -> str:
    """Return an endpoint as it is abbreviated, such as PFS."""
    return str(name).upper() if str(name) in ENDPOINTS else readable(name)


def marker_words(row: Mapping[Any, Any]) -> str:
    """Return what is measured, such as the LAMM fraction of immune cells, with the covariates."""
    if row["marker"] == LAMM:
        words = f"LAMM fraction {denominator_words(row['denominator'])}"
    else:
        words = f"mean {readable(row['marker'])}"
    return words + f", adjusted for {row['adjusted']}" * bool(row["adjusted"])


def when_words(row: Mapping[Any, Any], *, compartment: bool = True) -> str:
    """Return when and in which compartment, and from which day the clock runs."""
    if row["analysis"] == RESPONSE:
        return "by response"
    where = f", {readable(row['compartment'])}" if compartment else ""
    if row["analysis"] == BASELINE:
        return f"before infusion{where}"
    day = float(row.get("landmark", np.nan))
    since = f" (from day {day:g})" if np.isfinite(day) else ""
    return f"{readable(row['timepoint'])}{where}{since}"


def hazard_words(row: Mapping[Any, Any]) -> str:
    """Return the hazard ratio per standard deviation with its interval and p."""
    if not np.isfinite(row["estimate"]):
        return f"not tested: {row['reason']}"
    return f"hazard ratio {ratio_words(row)} per SD, p {write_number(float(row['p']), 'p')}"


def ratio_words(row: Mapping[Any, Any]) -> str:
    """Return the hazard ratio with its interval."""
    ratio, low, high = (
        write_number(float(row[key]), "ratio") for key in ("estimate", "ci_low", "ci_high")
    )
    return f"{ratio} ({low} to {high})"
