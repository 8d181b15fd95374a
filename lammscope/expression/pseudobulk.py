"""Pseudobulks: sums of raw counts per sample and population, in one AnnData object."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.ambient import AmbientSums
from lammscope.annotate.sums import GroupSums
from lammscope.core.damage import add_checksum, check_whole
from lammscope.core.runtime import whole_file

if TYPE_CHECKING:
    import anndata

AMBIENT = "ambient"  # the layer of expected ambient UMIs
IS_LIMIT = "ambient_is_limit"


def build_pseudobulk(
    sums: Iterable[tuple[str, GroupSums]],
    *,
    genes: pd.DataFrame,
    ambient: Iterable[tuple[str, AmbientSums]] | None = None,
) -> "anndata.AnnData":
    """Gather the sums of all samples.

    Parameters
    ----------
    sums
        Names of samples with their sums per population; consumed one at a time.
    genes
        All genes of the cohort: `gene` (sorted) and `symbol`.
    ambient
        The ambient RNA of the same samples and populations, in the same order.

    Returns
    -------
    AnnData
        One row per sample and population with `obs` columns `sample`, `population`, `n_cells`;
        `var` indexed by gene id with `symbol`; integer sums in `X` (CSR). Genes without counts in
        the cohort are left out. With `ambient`, the layer `ambient` holds expected ambient UMIs
        (float, never above the counts), and `ambient_is_limit` in `obs` tells whether they are an
        upper limit.

    Raises
    ------
    ValueError
        If `ambient` is of other samples or populations.
    """
    import anndata  # imported here: others read only the names of this module

    known = pd.Index(genes["gene"])
    seen = np.zeros(len(known), dtype=bool)
    pieces: dict[str, list[np.ndarray]] = {"counts": [], "columns": [], "expected": []}
    sizes, labels = [np.zeros(1, dtype=np.int64)], []
    of_samples = iter(ambient or ())
    for sample, own in sums:
        columns = known.get_indexer(pd.Index(own.genes["gene"]))
        groups = {"sample": sample, "population": own.groups, "n_cells": own.n_cells}
        order = np.argsort(columns)
        counts = own.counts[:, order]
        place = np.nonzero(counts)
        pieces["counts"].append(counts[place])
        pieces["columns"].append(columns[order].astype(np.int32)[place[1]])
        sizes.append(np.count_nonzero(counts, axis=1))
        seen[pieces["columns"][-1]] = True
        if ambient is not None:
            other, found = next(of_samples, ("", None))
            if found is None or other != sample or found.groups.tolist() != own.groups.tolist():
                raise ValueError(f"ambient RNA of sample {sample} is missing: run again")
            pieces["expected"].append(found.expected(own.counts)[:, order][place])
            groups[IS_LIMIT] = found.is_limit
        labels.append(pd.DataFrame(groups))
    obs = pd.concat(labels, ignore_index=True)
    obs.index = pd.Index(obs["sample"].astype(str) + "|" + obs["population"].astype(str))
    var = genes.set_index("gene")[["symbol"]].iloc[np.flatnonzero(seen)]
    indices = (np.cumsum(seen, dtype=np.int32) - 1)[np.concatenate(pieces.pop("columns"))]
    places, shape = (indices, np.cumsum(np.concatenate(sizes))), (len(obs), len(var))
    matrix = sparse.csr_matrix((np.concatenate(pieces.pop("counts")), *places), shape=shape)
    layers = {}
    if ambient is not None:
        values = np.concatenate(pieces.pop("expected"))
        has_zeros = not values.all()  # of genes that are not in the ambient profile
        places = (matrix.indices, matrix.indptr)  # shared with the counts if there are no zeros
        layers[AMBIENT] = sparse.csr_matrix((values, *places), shape=shape, copy=has_zeros)
        if has_zeros:
            layers[AMBIENT].eliminate_zeros()
    return anndata.AnnData(matrix, obs=obs, var=var, layers=layers)


def write_pseudobulk(pseudobulk: "anndata.AnnData", path: str | Path) -> None:
    """Write pseudobulks atomically as an `.h5ad` file with a checksum."""
    with whole_file(path) as temporary:
        pseudobulk.write_h5ad(temporary, compression="gzip", compression_opts=1)
        add_checksum(temporary)


def read_pseudobulk(path: str | Path) -> "anndata.AnnData":
    """Read pseudobulks; raises `ValueError` if the file is missing or damaged."""
    import anndata

    check_whole(path)
    return anndata.read_h5ad(path)


def read_counts(path: str | Path) -> "anndata.AnnData":
    """Read pseudobulks without their ambient RNA, which takes half of the memory.

    Raises
    ------
    ValueError
        If the file is missing or damaged.
    """
    import anndata
    import h5py

    check_whole(path)
    with h5py.File(path) as file:
        counts, obs, var = (anndata.io.read_elem(file[name]) for name in ("X", "obs", "var"))
    return anndata.AnnData(counts, obs=cast(pd.DataFrame, obs), var=cast(pd.DataFrame, var))
