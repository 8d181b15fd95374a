"""Groups of cells that send or receive, and their populations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from lammscope.core.names import LAMM, LAMM_ROWS

WHOLE = "monocytic"  # all monocytic cells, with which LAMM cells are compared within patients


@dataclass(frozen=True)
class Groups:
    """Groups of cells by role, and the populations of each.

    Attributes
    ----------
    by_role
        Names of the groups of each role (`pairs.ROLES`).
    populations
        Populations of each group.
    """

    by_role: Mapping[str, Sequence[str]]
    populations: Mapping[str, Sequence[str]]


def make_groups(
    roles: Mapping[str, Mapping[str, Sequence[str]]], lineages: Mapping[str, str], *, level: str
) -> Groups:
    """Make the groups of the config.

    Parameters
    ----------
    roles
        By role and group, names of populations or lineages.
    lineages
        The lineage of each population of the cohort.
    level
        The configured level of LAMM calls, whose row in tables is `LAMM`.
    """
    populations = {
        group: _populations(named, lineages, level=level)
        for groups in roles.values()
        for group, named in groups.items()
    }
    populations.setdefault(WHOLE, _populations([WHOLE], lineages, level=level))
    return Groups({role: list(groups) for role, groups in roles.items()}, populations)


def lineages_of(counts: pd.DataFrame) -> dict[str, str]:
    """Return the lineage of each population; `counts` is from `abundance.counts.count_cells`."""
    about = counts.drop_duplicates("population")
    return dict(zip(about["population"], about["lineage"], strict=True))


def _populations(
    named: Sequence[str], lineages: Mapping[str, str], *, level: str
) -> tuple[str, ...]:
    """Return the populations of a group: those named, and all those of a named lineage."""
    found: list[str] = []
    for name in named:
        if name == f"LAMM_{level}":
            found.append(LAMM)
        elif name in lineages or name in LAMM_ROWS:
            found.append(name)
        else:
            members = sorted(p for p, lineage in lineages.items() if lineage == name)
            found += [member for member in members if member not in LAMM_ROWS] or [name]
    return tuple(dict.fromkeys(found))
