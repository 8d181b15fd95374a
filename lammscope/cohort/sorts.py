"""The lineages that sorting keeps, from the config or from usual labels (`CD3+`, `NoSo`).

Cells that sorting removed cannot be a denominator, since only contaminants remain.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from lammscope.core.names import NOT_IMMUNE
from lammscope.core.words import as_text, near, shortened

Sorts = Mapping[str, Sequence[str] | str]

LINEAGES = frozenset(
    {
        *("T", "NK", "B", "malignant", "monocytic", "dendritic", "granulocytic", "platelet"),
        *("erythroid", "progenitor", "mast", "stromal", "endothelial", "epithelial"),
    }
)
EVERYTHING = {
    *("none", "unsorted", "nonsorted", "notsorted", "noso", "nosort", "nosorting", "all"),
    *("total", "whole", "bulk", "unselected", "unenriched", "unfractionated", "ungated"),
    *("live", "viable", "dapi-", "7aad-", "cells", "blood", "marrow", "bm", "pb"),
    *("pbmc", "pbmcs", "mnc", "mncs", "bmmc", "bmmcs", "bmnc", "pbmnc", "cd45", "cd45+"),
}
# Markers of whole lineages: sorting for marker-negative cells removes them. CD5 is left out, since
# malignant B cells often express it.
MARKERS = {
    "cd3": {"T"},
    "trac": {"T"},
    "cd2": {"T", "NK"},
    "cd56": {"NK"},
    "cd19": {"B", "malignant"},
    "cd20": {"B", "malignant"},
    "cd79": {"B", "malignant"},
    "cd79a": {"B", "malignant"},
    "cd79b": {"B", "malignant"},
    "cd14": {"monocytic"},
    "cd33": {"monocytic", "dendritic", "granulocytic", "progenitor", "mast"},
    "cd11b": {"monocytic", "dendritic", "granulocytic", "NK"},
}
# Markers of some of the T cells: sorting for marker-negative cells keeps the others.
PARTS = {"cd4": {"T"}, "cd8": {"T"}, "cd8a": {"T"}, "car": {"T"}, "cat": {"T"}, "cart": {"T"}}

OTHER_MARKERS = {*MARKERS, "cd4", "cd8", "cd8a"}  # than the CAR


def kept_lineages(label: str, sorts: Sorts) -> frozenset[str] | None:
    """Return the lineages that sorting keeps, or None if it removes none.

    Parameters
    ----------
    label
        A label of the column `sort`.
    sorts
        The config's `sorts`: label -> lineages that are kept, or `all`. It overrides the usual
        meaning of a label.

    Raises
    ------
    ValueError
        One line, if the label is neither in the config nor a usual one.
    """
    if label in sorts:
        named = sorts[label]
        return None if named == "all" else frozenset(named)
    if re.sub(r"[\s_-]", "", label.lower()) in EVERYTHING | {"no"}:
        return None
    words = [w for w in re.findall(r"[^+\-_\s]+[+-]?", label.lower()) if w not in EVERYTHING]
    kept = LINEAGES
    for word in words:
        name = word.rstrip("+-")
        if name not in MARKERS | PARTS:
            kept = frozenset()
        elif not word.endswith("-"):
            kept = kept & (MARKERS | PARTS)[name]
        else:
            kept = kept - MARKERS.get(name, set())
    if not kept:
        raise ValueError(
            f"column `sort`: it is not known which cells `{label}` keeps; list them in the config, "
            f"e.g. `sorts: {{{label}: [T]}}`"
        )
    return None if kept == LINEAGES else kept


def unsorted_labels(labels: pd.Series, sorts: Sorts) -> tuple[str, ...]:
    """Return the labels of the column `sort` that keep all cells, such as `none` and `NoSo`."""
    found = sorted(set(as_text(labels).dropna()))
    return tuple(label for label in found if _keeps_everything(label, sorts))


def one_label(labels: pd.Series, unsorted: Collection[str]) -> pd.Series:
    """Return the column `sort` with `none` for all labels of `unsorted`, which mean the same."""
    text = as_text(labels)
    return text.where(~text.isin(unsorted), "none")


def _keeps_everything(label: str, sorts: Sorts) -> bool:
    """Return whether sorting keeps all cells; False for a label of unknown meaning."""
    try:
        return kept_lineages(label, sorts) is None
    except ValueError:
        return False


def sorted_samples(samples: pd.DataFrame, sorts: Sorts) -> list[str]:
    """Return the samples with a sorted library, by the column `sort` if there is one."""
    if "sort" not in samples:
        return []
    labels = samples.set_index("sample")["sort"].dropna().astype(str)
    return [str(name) for name, label in labels.items() if kept_lineages(label, sorts) is not None]


def car_sorted_samples(samples: pd.DataFrame, sorts: Sorts) -> list[str]:
    """Return the samples with a library that may have been sorted by the CAR.

    These are the sorted ones, unless the label names other markers only, such as `CD3+`.
    """
    chosen = samples[samples["sample"].astype(str).isin(sorted_samples(samples, sorts))]
    by_others = [_words(str(label)) <= OTHER_MARKERS for label in chosen.get("sort", [])]
    return chosen["sample"][~np.array(by_others, dtype=bool)].astype(str).tolist()


def _words(label: str) -> set[str]:
    """Return the markers that a label names, without the words for all cells."""
    found = re.findall(r"[^+\-_\s]+[+-]?", label.lower())
    return {word.rstrip("+-") for word in found if word not in EVERYTHING}


def refused_denominators(labels: Iterable[str], *, sorts: Sorts) -> dict[str, list[str]]:
    """Find denominators that sorting removed: `immune` or a lineage -> labels that removed it."""
    found: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        kept = kept_lineages(label, sorts)
        if kept is None:
            continue
        gone = sorted(LINEAGES - kept)
        for name in gone if kept - set(NOT_IMMUNE) else ["immune", *gone]:
            found.setdefault(name, []).append(label)
    return found


def label_mistakes(samples: pd.DataFrame, sorts: Sorts) -> list[str]:
    """Find labels of the column `sort` of unknown meaning, with their samples."""
    found = []
    for label, part in samples["sample"].groupby(as_text(samples["sort"])):
        try:
            kept_lineages(str(label), sorts)
        except ValueError as error:
            found.append(f"samples {shortened(part)}: {error}")
    return found


def sort_mistakes(sorts: Sorts) -> list[str]:
    """Find lineages of the config's `sorts` that do not exist."""
    return [
        f"config: `sorts`: `{label}` keeps `{lineage}`, which is not a lineage"
        f"{near(str(lineage), sorted(LINEAGES))}; lineages: {', '.join(sorted(LINEAGES))}; or `all`"
        for label, named in sorts.items()
        if named != "all"
        for lineage in named
        if lineage not in LINEAGES
    ]
