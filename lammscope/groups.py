"""Sums of one sample's counts over groups of its cells: clusters, or populations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.qc import to_rates
from lammscope.shards import Shard
from lammscope.sidecars import read_arrays, write_arrays

BLOCK = 1_000  # cells that are summed at a time


@dataclass(frozen=True)
class GroupSums:
    """Sums over the cells of each group, for all genes of a shard.

    Attributes
    ----------
    groups
        Names of the groups that have cells.
    n_cells
        Cells per group.
    genes
        `gene` and `symbol` of the columns.
    counts
        Groups x genes, sums of UMIs.
    rates
        Groups x genes, sums of UMIs per 10,000.
    expressed
        Groups x genes, number of cells with at least one UMI.
    """

    groups: np.ndarray
    n_cells: np.ndarray
    genes: pd.DataFrame
    counts: np.ndarray
    rates: np.ndarray
    expressed: np.ndarray


def sum_groups(shard: Shard, *, positions: np.ndarray, labels: np.ndarray) -> GroupSums:
    """Sum a shard over groups of cells.

    Parameters
    ----------
    shard
        One sample.
    positions
        Rows of the shard that are kept cells.
    labels
        The group of each kept cell.
    """
    groups, code, n_cells = np.unique(
        np.asarray(labels, dtype=str), return_inverse=True, return_counts=True
    )
    shape = (len(groups), len(shard.genes))
    size = shape[0] * shape[1]
    counts, rates, expressed = np.zeros((3, size))
    for start in range(0, len(positions), BLOCK):
        block = shard.counts[positions[start : start + BLOCK]]
        first_place = code[start : start + BLOCK] * shape[1]
        place = np.repeat(first_place, np.diff(block.indptr)) + block.indices
        per_10k = to_rates(block, np.asarray(block.sum(axis=1)).ravel()).data
        counts += np.bincount(place, weights=block.data, minlength=size)
        rates += np.bincount(place, weights=per_10k, minlength=size)
        expressed += np.bincount(place, minlength=size)
    return GroupSums(
        groups,
        n_cells,
        shard.genes[["gene", "symbol"]],
        np.rint(counts).astype(np.int64).reshape(shape),
        rates.reshape(shape),
        expressed.astype(np.int64).reshape(shape),
    )


def merge_groups(sums: GroupSums, names: Sequence[str] | np.ndarray) -> GroupSums:
    """Add up the sums of groups that have one of `names` (one per group) in common."""
    groups, code = np.unique(np.asarray(names, dtype=str), return_inverse=True)
    member = np.zeros((len(groups), len(code)), dtype=np.int64)
    member[code, np.arange(len(code))] = 1
    return GroupSums(
        groups,
        member @ sums.n_cells,
        sums.genes,
        member @ sums.counts,
        member @ sums.rates,
        member @ sums.expressed,
    )


def write_sums(path: str | Path, sums: GroupSums, *, index: str) -> None:
    """Write sums as a sidecar of the cell index; only genes with a count are kept."""
    row, column = np.nonzero(sums.counts)
    write_arrays(
        path,
        index=index,
        groups=sums.groups,
        n_cells=sums.n_cells,
        gene=sums.genes["gene"].to_numpy(dtype=str),
        symbol=sums.genes["symbol"].to_numpy(dtype=str),
        row=row.astype(np.int16),
        column=column.astype(np.int32),
        counts=sums.counts[row, column],
        rates=sums.rates[row, column].astype(np.float32),
        expressed=sums.expressed[row, column].astype(np.int32),
    )


def read_sums(path: str | Path, *, index: str) -> GroupSums:
    """Read what `write_sums` wrote."""
    arrays = read_arrays(path, index=index)
    genes = pd.DataFrame({"gene": arrays["gene"], "symbol": arrays["symbol"]})
    shape = (len(arrays["groups"]), len(genes))
    sums = {}
    for name in ("counts", "rates", "expressed"):
        dense = np.zeros(shape, dtype=np.float64 if name == "rates" else np.int64)
        dense[arrays["row"], arrays["column"]] = arrays[name]
        sums[name] = dense
    return GroupSums(arrays["groups"].astype(str), arrays["n_cells"], genes, **sums)


def all_genes(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Every gene of some sample's sums, once: `gene` and `symbol`, sorted by gene."""
    known: dict[str, str] = {}
    for path in paths:
        with np.load(path) as file:
            known |= dict(zip(file["gene"].tolist(), file["symbol"].tolist(), strict=True))
    return pd.DataFrame(sorted(known.items()), columns=["gene", "symbol"], dtype="str")
