"""Sums of a sample's counts over groups of its cells: clusters, or populations."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.core.damage import check_whole
from lammscope.core.indexed import CellIndex
from lammscope.core.rates import to_rates
from lammscope.core.shards import Shard

BLOCK = 1_000  # cells summed at a time


@dataclass(frozen=True)
class GroupSums:
    """Sums over the cells of each group, for all genes of a sample.

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
    """Sum the counts of one sample over groups of cells.

    Parameters
    ----------
    shard
        Counts of the sample.
    positions
        Rows that are kept cells.
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


def merge_groups(
    sums: GroupSums,
    names: Sequence[str] | np.ndarray,
    *,
    overlapping: Mapping[str, np.ndarray] | None = None,
) -> GroupSums:
    """Add the sums of groups that have the same name in `names` (one per group).

    `overlapping` has further groups, by name: which of the given ones they contain (bool). They
    follow the others, without those that are empty.
    """
    groups = np.unique(np.asarray(names, dtype=str))
    member = (groups[:, None] == np.asarray(names, dtype=str)).astype(np.int64)
    for name, inside in (overlapping or {}).items():
        if np.any(inside):
            groups = np.append(groups, name)
            member = np.vstack([member, np.asarray(inside, dtype=np.int64)])
    return GroupSums(
        groups,
        member @ sums.n_cells,
        sums.genes,
        _added(member, sums.counts),
        member @ sums.rates,
        _added(member, sums.expressed),
    )


def _added(member: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Multiply matrices of integers as floats, which is exact below 2**53 and five times faster."""
    return np.asarray((member.astype(float) @ numbers.astype(float)).astype(np.int64))


def write_sums(path: str | Path, sums: Mapping[str, GroupSums], index: CellIndex) -> None:
    """Write sums by sample as a file of the cell index; zeros are left out."""
    arrays = {"samples": np.array(list(sums), dtype=str)}
    for number, of_sample in enumerate(sums.values()):
        row, column = np.nonzero(of_sample.counts)
        own = {
            "groups": of_sample.groups,
            "n_cells": of_sample.n_cells,
            "gene": of_sample.genes["gene"].to_numpy(dtype=str),
            "symbol": of_sample.genes["symbol"].to_numpy(dtype=str),
            "row": row.astype(np.int16),
            "column": column.astype(np.int32),
            "counts": of_sample.counts[row, column],
            "rates": of_sample.rates[row, column].astype(np.float32),
            "expressed": of_sample.expressed[row, column].astype(np.int32),
        }
        arrays |= {f"{number}.{name}": values for name, values in own.items()}
    index.write_arrays(path, **arrays)


def read_sums(paths: Iterable[str | Path], index: CellIndex) -> Iterator[tuple[str, GroupSums]]:
    """Read files written by `write_sums`, one sample at a time."""
    for path in paths:
        arrays = index.read_arrays(path)
        for number, sample in enumerate(arrays["samples"].tolist()):
            mark = f"{number}."
            own = {
                name.removeprefix(mark): arrays[name] for name in arrays if name.startswith(mark)
            }
            genes = pd.DataFrame({"gene": own["gene"], "symbol": own["symbol"]})
            shape = (len(own["groups"]), len(genes))
            sums = {}
            for name in ("counts", "rates", "expressed"):
                dense = np.zeros(shape, dtype=np.float64 if name == "rates" else np.int64)
                dense[own["row"], own["column"]] = own[name]
                sums[name] = dense
            yield sample, GroupSums(own["groups"].astype(str), own["n_cells"], genes, **sums)


def sample_genes(paths: Iterable[str | Path]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each sample in files of `write_sums`, with the ids and the symbols of its genes."""
    for path in paths:
        check_whole(path)
        with np.load(path) as file:
            for number, sample in enumerate(file["samples"].tolist()):
                genes, symbols = (file[f"{number}.{name}"].tolist() for name in ("gene", "symbol"))
                yield str(sample), genes, symbols


def all_genes(paths: Iterable[str | Path]) -> pd.DataFrame:
    """List all genes in the samples' sums: `gene` and `symbol`, sorted by gene."""
    known: dict[str, str] = {}
    for _, genes, symbols in sample_genes(paths):
        known |= dict(zip(genes, symbols, strict=True))
    return pd.DataFrame(sorted(known.items()), columns=["gene", "symbol"], dtype="str")
