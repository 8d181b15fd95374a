"""How many cells send: log fractions of senders, and the supply of a ligand in samples.

The strength of a pair is per cell. "More LAMM cells" does not change it, but changes the supply:
the sender's term plus the log2 fraction of the senders among immune cells.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lammscope.abundance.fractions import OFFSET, unit_cells
from lammscope.axis.batches import MIN_EXPECTED
from lammscope.axis.groups import Groups
from lammscope.axis.strength import group_counts, part_counts, term_level, without_ambient
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.pairs import Pair
from lammscope.cohort.sorts import Sorts, refused_denominators
from lammscope.core.names import NOT_IMMUNE, Array

COLUMNS = ["sample", "population", "measure", "kind", "total", "n_cells"]


def log_fractions(
    counts: pd.DataFrame,
    comparison: Comparison,
    groups: Groups,
    *,
    exclude_pre_post: Sequence[str],
    sorts: Sorts,
) -> dict[str, Array]:
    """Compute the log2 fraction of each group among immune cells, units x sides.

    Parameters
    ----------
    counts
        From `abundance.counts.count_cells`.
    comparison
        Who is compared with whom.
    groups
        Groups of cells.
    exclude_pre_post, sorts
        As in `abundance.populations.Question`.

    Returns
    -------
    dict
        By group; empty if sorting removed immune cells from a sample.
    """
    if refused_denominators(comparison.sorts, sorts=sorts):
        return {}
    left_out = comparison.left_out(exclude_pre_post)
    return _log_fractions(counts, comparison.units, groups, left_out=left_out)


def sample_supply(
    pairs: Sequence[Pair],
    groups: Groups,
    libraries: pd.DataFrame,
    terms: pd.DataFrame,
    counts: pd.DataFrame,
    *,
    min_cells: int,
) -> pd.DataFrame:
    """Compute the supply of ligands by LAMM cells in every sample.

    Parameters
    ----------
    pairs
        Pairs whose ligands myeloid cells send.
    groups
        Groups of cells.
    libraries, terms
        From `terms.count_terms`.
    counts
        From `abundance.counts.count_cells`.
    min_cells
        Samples with fewer senders have no supply. Nor has a ligand of which the samples have fewer
        than `batches.MIN_EXPECTED` UMIs on average.

    Returns
    -------
    DataFrame
        `sample`, `population` (the sender), `measure` (name of the pair and `_supply`), `kind`
        (mean), `total` (the supply in log2 units times the cells) and `n_cells` (senders).
    """
    samples = sorted(libraries["sample"].unique())
    units = pd.DataFrame({"samples": [[name] for name in samples]})
    fractions = _log_fractions(counts, units, groups, left_out=set())
    rows = []
    for sender in groups.by_role.get("myeloid", ()):
        own = group_counts(libraries, terms, units, group=sender)
        n_cells = own.n_cells[:, 0]
        for pair in pairs:
            parts, ambient = part_counts(own, pair.ligand)
            clean = without_ambient(parts, ambient, own.is_limit)
            value = term_level(clean, own.library) + fractions[sender]
            known = (n_cells >= min_cells) & np.isfinite(value[:, 0])
            if not known.any() or parts[:, known].mean(axis=(1, 2)).min() < MIN_EXPECTED:
                continue
            about = (sender, f"{pair.name}_supply", "mean")
            total = value[:, 0] * n_cells
            rows += [(samples[i], *about, total[i], n_cells[i]) for i in np.flatnonzero(known)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n_cells": int})


def _log_fractions(
    counts: pd.DataFrame, units: pd.DataFrame, groups: Groups, *, left_out: set[str]
) -> dict[str, Array]:
    wide = counts.pivot(index="sample", columns="population", values="n_cells")
    cells = unit_cells(wide, units)
    about = counts.drop_duplicates("population").set_index("population")
    is_part = about["partition"].astype(bool) & ~about["lineage"].isin(NOT_IMMUNE)
    immune = [str(name) for name in about.index[is_part]]
    kept = [name for name in immune if name not in left_out]
    total = _sum(cells, kept)
    return {
        group: np.log2(
            (_sum(cells, populations) + OFFSET)
            / (
                total
                + _sum(cells, [name for name in populations if name in left_out])
                + OFFSET * max(len(kept), 1)
            )
        )
        for group, populations in groups.populations.items()
    }


def _sum(cells: Mapping[str, Array], names: Sequence[str]) -> Array:
    empty = np.zeros_like(next(iter(cells.values())))
    return np.asarray(sum((cells[name] for name in names if name in cells), empty))
