"""The lineages that sorting keeps, from the config or from usual labels (`CD3+`, `NoSo`).

Cells that sorting removed cannot be a denominator, since only contaminants remain.
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
    "cd33": {"monocytic", "dendritic", "granulocytic", "progenitor"},
    "cd11b": {"monocytic", "dendritic", "granulocytic", "NK"},
}
# Markers of some of the T cells: sorting for marker-negative cells keeps the others.
PARTS = {"cd4": {"T"}, "cd8": {"T"}, "cd8a": {"T"}, "car": {"T"}, "cat": {"T"}}


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


def sorted_samples(samples: pd.DataFrame, sorts: Sorts) -> list[str]:
    """Return the samples with a sorted library, by the column `sort` if there is one."""
    if "sort" not in samples:
        return []
    labels = samples.set_index("sample")["sort"].dropna().astype(str)
    return [str(name) for name, label in labels.items() if kept_lineages(label, sorts) is not None]


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
