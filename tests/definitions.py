"""Definitions of a first cohort, as a run writes them."""

from pathlib import Path
from typing import Any

from lammscope.cohort.config import resolve_config
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.definition import frozen_files, frozen_settings
from lammscope.cohort.definition_file import TESTED, definition_text
from tests.unit.example_cohorts import BASELINE, asked, make_samples

VERSIONS = {"lammscope": "0.1.0", "numpy": "2.0"}


def baseline(entry: dict[str, Any] | None = None) -> Contrast:
    """Return the contrast `baseline` of an example cohort."""
    contrast = asked(entry or BASELINE, make_samples(3))
    return type(contrast)(**{**vars(contrast), "name": "baseline"})


def definition_content(
    *, contrast: Contrast | None = None, config: dict[str, Any] | None = None, **estimate: Any
) -> dict[str, Any]:
    """Return the sections of a definition whose first cohort found a difference.

    `estimate` replaces keys of the section.
    """
    resolved = resolve_config(config or {})
    found: dict[str, Any] = {
        **{"status": TESTED, "population": "LAMM", "denominator": "immune", "scale": "logit"},
        **{"unit": "log odds ratio", "estimate": 1.0, "se": 0.3, "df": 8.0, "ci_low": 0.31},
        **{"ci_high": 1.69, "p": 0.01, "p_permutation": 0.02, "n_test": 5, "n_reference": 5},
        **{"mean_test": 0.2, "mean_reference": 0.1, "sd_test": 0.5, "sd_reference": 0.4},
        "direction": "higher in non_responder",
    }
    return {
        "settings": frozen_settings(resolved, contrast or baseline()),
        "files": frozen_files(resolved),
        "estimate": found | estimate,
        "cohort": {
            **{"n_patients": 10, "n_samples": 10, "compartment": {"blood": 10}},
            **{"cells": ["aaaa0001", "aaaa0002"], "bytes": [11, 12]},
        },
        "record": {"versions": VERSIONS, "integration": {"method": "harmony"}},
    }


def write_definition(path: Path, **changes: Any) -> Path:
    """Write `definition_content`; `changes` as for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(definition_text(definition_content(**changes)), encoding="utf-8")
    return path
