"""The question of a contrast: its pairs, with the counts of its patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lammscope.axis.batches import AxisQuestion
from lammscope.axis.groups import Groups
from lammscope.axis.strength import group_counts
from lammscope.axis.supply import log_fractions
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.pairs import Pair
from lammscope.cohort.sorts import Sorts


@dataclass(frozen=True, eq=False)
class Tables:
    """Tables of the cohort: `terms.count_terms`, and `abundance.counts.count_cells`."""

    libraries: pd.DataFrame
    terms: pd.DataFrame
    cells: pd.DataFrame


def ask(
    pairs: Sequence[Pair],
    groups: Groups,
    tables: Tables,
    comparison: Comparison,
    *,
    min_cells: int,
    max_ambient_share: float,
    exclude_pre_post: Sequence[str],
    sorts: Sorts,
) -> AxisQuestion:
    """Gather what the tests of a contrast need.

    Parameters are those of `batches.AxisQuestion` and `supply.log_fractions`.
    """
    return AxisQuestion(
        pairs=pairs,
        groups=groups,
        own={
            group: group_counts(tables.libraries, tables.terms, comparison.units, group=group)
            for group in groups.populations
        },
        fractions=log_fractions(
            tables.cells, comparison, groups, exclude_pre_post=exclude_pre_post, sorts=sorts
        ),
        comparison=comparison,
        min_cells=min_cells,
        max_ambient_share=max_ambient_share,
    )
