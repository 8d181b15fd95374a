"""The definition of a run: its primary comparison and result, written for a second cohort."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lammscope.abundance.primary import primary_row
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.definition import unit_of
from lammscope.cohort.definition_file import NOT_TESTED, TESTED, Content
from lammscope.core.names import LAMM, PRIMARY_SCALE
from lammscope.core.shards import read_record
from lammscope.core.words import as_text

NUMBERS = (  # of the estimate, as in `abundance/{contrast}.tsv`
    *("estimate", "se", "df", "ci_low", "ci_high", "p", "p_permutation", "n_test", "n_reference"),
    *("mean_test", "mean_reference", "sd_test", "sd_reference"),
)
DESCRIBED = ("compartment", "sort", "timepoint", "product", "chemistry")  # columns of the sheets


def frozen_estimate(
    table: pd.DataFrame | None, contrast: Contrast | None, *, primary: Mapping[str, str]
) -> dict[str, Any]:
    """Return the primary result as a definition records it.

    Parameters
    ----------
    table
        The abundance table of the primary contrast; None if the cohort does not have it.
    contrast
        The primary contrast.
    primary
        `contrast` and `denominator` of the config.

    Returns
    -------
    dict
        `status` (tested or not tested, with a `reason`), what was estimated and its unit, and if it
        was tested the estimate with standard error, degrees of freedom, 95 % interval, p, patients
        per arm, their mean fractions and standard deviations, and its direction in words.
    """
    found: dict[str, Any] = {"population": LAMM, "denominator": primary["denominator"]}
    found |= {"scale": PRIMARY_SCALE}
    if table is None or contrast is None:
        reason = f"the cohort has no contrast `{primary['contrast']}`"
        return {"status": NOT_TESTED, "reason": reason, **found, "unit": ""}
    row = primary_row(table, denominator=primary["denominator"])
    found["unit"] = unit_of(contrast)
    if row["status"] != "ok":
        return {"status": NOT_TESTED, "reason": str(row["reason"]), **found} | {
            key: int(row[key]) for key in ("n_test", "n_reference")
        }
    found |= {key: int(row[key]) if key[:2] == "n_" else float(row[key]) for key in NUMBERS}
    found["direction"] = contrast.verdict("higher" if found["estimate"] > 0 else "lower")
    return {"status": TESTED, **found}


def describe_cohort(
    samples: pd.DataFrame, contrast: Contrast | None, shards: Iterable[str | Path]
) -> dict[str, Any]:
    """Return what tells this cohort from others, without names of patients or samples.

    Parameters
    ----------
    samples
        The sample table.
    contrast
        The primary contrast, whose samples are described; without one, all are.
    shards
        Per-sample count files of all samples, whose records tell the same samples in two cohorts.

    Returns
    -------
    dict
        `n_patients` and `n_samples`; for each column of `DESCRIBED` its values with their numbers
        of samples; `cells`, sorted checksums of barcodes and UMIs; `bytes`, sizes of the matrices.
    """
    used = samples if contrast is None else Comparison(samples, contrast).used
    found: dict[str, Any] = {"n_patients": int(used["patient"].nunique()), "n_samples": len(used)}
    for column in DESCRIBED:
        if column in used:
            counts = as_text(used[column]).fillna("not known").value_counts()
            found[column] = {str(value): int(n) for value, n in sorted(counts.items())}
    records = [record for path in shards if (record := read_record(path)) is not None]
    found["cells"] = sorted({record.cells[:8] for record in records if record.cells})
    found["bytes"] = sorted(record.size for record in records)
    return found


def recorded(config: Content, versions: Mapping[str, str]) -> dict[str, Any]:
    """Return versions, and settings that a second cohort may change; no paths."""
    integration, clustering = config["integration"], config["clustering"]
    return {
        "versions": dict(versions),
        "integration": {key: integration[key] for key in ("method", "batch", "n_pcs")},
        "clustering": {key: clustering[key] for key in ("n_neighbors", "resolution")},
        "doublets": {key: config["doublets"][key] for key in ("expected_per_1000",)},
        "ambient_max_counts": config["qc"]["ambient_max_counts"],
        "car_features": config["car"]["features"],
        "sorts": config["sorts"],
        "permutations": {key: config["abundance"][key] for key in ("max_exact", "n_draws")},
        "seed": config["seed"],
    }
