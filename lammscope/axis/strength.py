"""Levels of terms in patients: what sender and receiver express of a pair.

Levels are log2 counts per million of pseudobulks. The sum of two of them, of the sender's and the
receiver's term, is the strength of a pair in a patient: co-expression that is compatible with
signaling, not signaling itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lammscope.abundance.fractions import side_columns, sum_sides
from lammscope.cohort.pairs import Term
from lammscope.core.names import Array

PRIOR = 0.5  # UMIs added to each count


@dataclass(frozen=True)
class GroupCounts:
    """A group of cells in the units of a contrast; replicates are summed.

    Attributes
    ----------
    genes
        Names of the rows of `counts`.
    counts, ambient
        UMIs and expected ambient UMIs, genes x units x sides; nan if the matrix of a sample lacks
        the gene.
    library
        Normalized UMIs of all genes without ambient RNA, units x sides.
    umi, ambient_umi
        UMIs of all genes, and of them expected ambient ones, units x sides.
    n_cells
        Units x sides.
    is_limit
        Whether ambient UMIs are an upper limit, units x sides.
    """

    genes: tuple[str, ...]
    counts: Array
    ambient: Array
    library: Array
    umi: Array
    ambient_umi: Array
    n_cells: Array
    is_limit: np.ndarray

    def rows(self, genes: Sequence[str]) -> list[int]:
        """Return the rows of some genes."""
        return [self.genes.index(gene) for gene in genes]


def group_counts(
    libraries: pd.DataFrame, counts: pd.DataFrame, units: pd.DataFrame, *, group: str
) -> GroupCounts:
    """Sum the tables of `terms.count_terms` over the samples of each unit and side.

    `units` come from `Comparison.units`.
    """
    own = counts[counts["group"] == group]
    sizes = libraries[libraries["group"] == group].set_index("sample")
    lists = [units[column] for column in side_columns(units)]
    samples = sorted({name for side in lists for names in side for name in names})
    without = [name for name in samples if name not in sizes.index]
    columns = ["library", "umi", "ambient", "n_cells", "is_limit"]
    wide = sizes[columns].astype(float).reindex(samples, fill_value=0.0)
    library, umi, ambient_umi, n_cells, is_limit = sum_sides(wide, units).transpose(0, 2, 1)
    genes = tuple(dict.fromkeys(counts["gene"]))
    tables = {
        name: own.pivot(index="sample", columns="gene", values=name).reindex(columns=genes)
        for name in ("count", "ambient")
    }
    # a sample without such cells has none of their UMIs, one without the gene has no count
    tables = {
        name: pd.concat([table, pd.DataFrame(0.0, without, genes)]).reindex(samples)
        for name, table in tables.items()
    }
    lacking = sum_sides(tables["count"].isna(), units).transpose(0, 2, 1) > 0
    summed = {
        name: sum_sides(table.fillna(0.0), units).transpose(0, 2, 1)
        for name, table in tables.items()
    }
    return GroupCounts(
        genes,
        counts=np.where(lacking, np.nan, summed["count"]),
        ambient=summed["ambient"],
        library=library,
        umi=umi,
        ambient_umi=ambient_umi,
        n_cells=n_cells,
        is_limit=is_limit > 0,
    )


def log_cpm(counts: Array, library: Array) -> Array:
    """Compute log2 counts per million with a prior count of 0.5, as in `voom`.

    Law et al. 2014 (doi 10.1186/gb-2014-15-2-r29). The mean logarithm of a Poisson count and a half
    is the logarithm of its mean, but for less than 3 % from two expected UMIs on, so that levels do
    not depend on the number or the depth of cells. `docs/statistics.md` says why the
    prior count is not in proportion to the library, as in edgeR's `cpm`.

    Parameters
    ----------
    counts
        ... x units x sides.
    library
        Units x sides; those without UMIs have no level (nan).
    """
    size = np.where(library > 0, library, np.nan)
    return np.asarray(np.log2((counts + PRIOR) / (size + 2 * PRIOR) * 1e6))


def part_counts(own: GroupCounts, term: Term) -> tuple[Array, Array]:
    """Sum UMIs and ambient UMIs over the genes of each part: parts x units x sides."""
    rows = [own.rows(part) for part in term.parts]
    return (
        np.array([own.counts[row].sum(axis=0) for row in rows]),
        np.array([own.ambient[row].sum(axis=0) for row in rows]),
    )


def without_ambient(counts: Array, ambient: Array, is_limit: np.ndarray) -> Array:
    """Take the expected ambient UMIs off, but not where they are an upper limit.

    Ambient RNA is of all cells. Where there is more of it, the genes of a group of cells are
    diluted, and its level would be lower.

    Parameters
    ----------
    counts, ambient
        Of any shape.
    is_limit
        Whether `ambient` is an upper limit; of a shape that fits.
    """
    return np.asarray(np.maximum(counts - np.where(is_limit, 0.0, ambient), 0.0))


def term_level(parts: Array, library: Array) -> Array:
    """Compute the level of a term: that of its weakest part, in each unit and side.

    `parts` is parts x units x sides. A complex is as rare as its rarest part (Efremova 2020, doi
    10.1038/s41596-020-0292-x), and an enzyme that is missing ends a synthesis.
    """
    return np.asarray(log_cpm(parts, library).min(axis=0))
