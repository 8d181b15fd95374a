"""Checks of the section `multiverse` of the config, before anything runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lammscope.cohort.contrast_config import primary_contrast
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.multiverse import OWN, Multiverse, is_listed, read_multiverse
from lammscope.core.names import AUTO, FILE_COLUMNS
from lammscope.core.words import near

KEY = "config: `multiverse"
# With `integration.method: auto`, each of these might choose another embedding.
OF_SPACE = ("qc", "doublets", "integration")
SHORTER = "shorten a list, or set `multiverse.crossing: single` to change one choice at a time"


def multiverse_mistakes(
    config: Mapping[str, Any], samples: pd.DataFrame, contrasts: Sequence[Contrast]
) -> list[str]:
    """Find mistakes in the choices, one line each: key, value, remedy.

    Parameters
    ----------
    config
        The resolved config.
    samples
        The sample table.
    contrasts
        The contrasts of the run; empty if they have mistakes.
    """
    if not is_listed(config):
        return []
    contrast = primary_contrast(config, contrasts)
    multiverse = read_multiverse(config, adjust=contrast.adjust if contrast else ())
    return [
        *_size_mistakes(config["multiverse"], multiverse),
        *_set_mistakes(config["multiverse"]["qc"]),
        *_space_mistakes(config),
        *_contrast_mistakes(config, contrasts, contrast),
        *(_adjust_mistakes(config, samples, contrast) if contrast else []),
    ]


def _size_mistakes(given: Mapping[str, Any], multiverse: Multiverse) -> list[str]:
    if not multiverse.varied:
        return [
            f"{KEY}` lists only the run's own settings, so there is nothing to compare; list "
            "another value, or remove the section"
        ]
    found = []
    for what, n, key in (
        ("folders of other cells and calls", multiverse.n_folders, "max_folders"),
        ("specifications", multiverse.n_specifications, "max_specifications"),
    ):
        if n > given[key]:
            remedy = SHORTER if given["crossing"] == "full" else "shorten a list"
            found.append(
                f"{KEY}.{key}` is {given[key]}, but the listed choices make {n:,} {what}; "
                f"{remedy}, or raise `multiverse.{key}`"
            )
    return found


def _set_mistakes(sets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    empty = [
        f"{KEY}.qc.{name}` has no threshold; give at least one key of `qc`"
        for name, keys in sets.items()
        if not keys
    ]
    taken = f"{KEY}.qc.{OWN}` is the name of the run's own thresholds; use another name"
    return empty + [taken] * (OWN in sets)


def _space_mistakes(config: Mapping[str, Any]) -> list[str]:
    listed = [choice for choice in OF_SPACE if config["multiverse"][choice]]
    if config["integration"]["method"] != AUTO or not listed:
        return []
    return [
        f"{KEY}.{listed[0]}` needs a named method of integration, but `integration.method` is "
        f"`{AUTO}`, which might choose another one for other cells; name the method"
    ]


def _contrast_mistakes(
    config: Mapping[str, Any], contrasts: Sequence[Contrast], contrast: Contrast | None
) -> list[str]:
    if contrast is not None or (not contrasts and config["contrasts"] != {}):
        return []
    name = config["primary"]["contrast"]
    return [
        f"{KEY}` repeats the primary result, but `primary.contrast` is `{name}`, which is not a "
        "contrast of this run; name one, or remove the section `multiverse`"
    ]


def _adjust_mistakes(
    config: Mapping[str, Any], samples: pd.DataFrame, contrast: Contrast
) -> list[str]:
    lists = config["multiverse"]["adjust"]
    if not contrast.between_patients:
        words = (
            f"{KEY}.adjust` lists covariates, but in the primary contrast `{contrast.name}` each "
            "patient is compared with itself, so none is adjusted for; remove the key"
        )
        return [words] * any(lists)
    response = config["response"]["column"]
    hidden = {"response", "response_label", "phase", "sample", "patient", contrast.column, response}
    columns = [str(name) for name in samples if name not in hidden and name not in FILE_COLUMNS]
    found = []
    for column in dict.fromkeys(column for each in lists for column in each):
        said = f"{KEY}.adjust` names `{column}`"
        if column in (contrast.column, "response", response):
            found.append(f"{said}, which is what the primary contrast compares; use another column")
        elif column not in columns:
            found.append(
                f"{said}, which is not a column of either sheet{near(column, columns)}; columns: "
                f"{', '.join(columns)}"
            )
    return found
