"""What a sort keeps: by the config, or by the usual labels of the sample sheet (`CD3+`, `NoSo`).

A denominator that a sort removed is no denominator: what is left of it are contaminants.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from lammscope.core.names import NOT_IMMUNE
from lammscope.core.words import near

Sorts = Mapping[str, Sequence[str] | str]

LINEAGES = frozenset(
    {
        *("T", "NK", "B", "malignant", "monocytic", "dendritic", "granulocytic", "platelet"),
        *("erythroid", "progenitor"),
    }
)
EVERYTHING = {
    *("none", "unsorted", "noso", "nosort", "all", "total", "live", "viable", "pbmc", "mnc"),
    *("cd45", "cd45+"),
}
# Markers of whole lineages: sorting against one removes them. CD5 is left out, since malignant B
# cells often carry it.
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
    "cd33": {"monocytic", "dendritic", "granulocytic", "progenitor"},
    "cd11b": {"monocytic", "dendritic", "granulocytic", "NK"},
}
# Markers of a part of the T cells: sorting against one leaves the others.
PARTS = {"cd4": {"T"}, "cd8": {"T"}, "cd8a": {"T"}, "car": {"T"}, "cat": {"T"}}


def kept_lineages(label: str, sorts: Sorts) -> frozenset[str] | None:
    """Lineages that libraries of a sort hold; None where nothing was removed.

    Parameters
    ----------
    label
        Of the column `sort`.
    sorts
        The config's: label -> lineages that it keeps, or `all`. It goes before what the label says.

    Raises
    ------
    ValueError
        One line, if neither the config nor the label says what the sort keeps.
    """
    if label in sorts:
        named = sorts[label]
        return None if named == "all" else frozenset(named)
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
            f"sort `{label}`: not known what it keeps; say so in the config, e.g. "
            f"`sorts: {{{label}: [T]}}`"
        )
    return None if kept == LINEAGES else kept


def sorted_samples(samples: pd.DataFrame, sorts: Sorts) -> list[str]:
    """Samples whose library was sorted, by the column `sort` (where there is one)."""
    if "sort" not in samples:
        return []
    labels = samples.set_index("sample")["sort"].dropna().astype(str)
    return [str(name) for name, label in labels.items() if kept_lineages(label, sorts) is not None]


def refused_denominators(labels: Iterable[str], *, sorts: Sorts) -> dict[str, list[str]]:
    """Denominators that a sort removed: `immune` or a lineage -> the labels that removed it."""
    found: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        kept = kept_lineages(label, sorts)
        if kept is None:
            continue
        gone = sorted(LINEAGES - kept)
        for name in gone if kept - set(NOT_IMMUNE) else ["immune", *gone]:
            found.setdefault(name, []).append(label)
    return found


def sort_mistakes(sorts: Sorts) -> list[str]:
    """Lineages of the config's `sorts` that there are not."""
    return [
        f"config: `sorts`: `{label}` keeps `{lineage}`, which is no lineage"
        f"{near(str(lineage), sorted(LINEAGES))}; lineages: {', '.join(sorted(LINEAGES))}; or `all`"
        for label, named in sorts.items()
        if named != "all"
        for lineage in named
        if lineage not in LINEAGES
    ]
