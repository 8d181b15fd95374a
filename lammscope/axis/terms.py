"""UMIs of the genes of pairs, in the groups of cells that send or receive.

A small table is all that tests and figures need of the pseudobulks: per sample, group and gene the
UMIs, and per sample and group the library they belong to.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.sums import sample_genes
from lammscope.axis.strength import without_ambient
from lammscope.core.gene_sets import GeneSet
from lammscope.core.names import Array
from lammscope.expression.gene_sets import match_genes, plain_name
from lammscope.expression.models import Pseudobulks, stacked
from lammscope.stats.edger import tmm

MIN_LEVEL = 1.0  # mean UMIs of a gene in a group, from which it counts for normalization
LIBRARY_COLUMNS = ["sample", "group", "n_cells", "umi", "library", "ambient", "is_limit"]
COUNT_COLUMNS = ["sample", "group", "gene", "count", "ambient"]


def count_terms(
    sums: Pseudobulks,
    *,
    genes: Sequence[str],
    known: Mapping[str, Collection[str]],
    groups: Mapping[str, Sequence[str]],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count the genes of pairs in each group of cells of each sample.

    Parameters
    ----------
    sums
        All pseudobulks of the cohort.
    genes
        Symbols or Ensembl ids; case and versions of ids are ignored.
    known
        By sample, those of `genes` that its matrix has; all samples with cells.
    groups
        Populations or LAMM rows of each group.

    Returns
    -------
    libraries
        `sample`, `group`, `n_cells`, `umi` (of all genes), `library` (the same without ambient RNA,
        normalized by TMM over the samples with such cells), `ambient` (expected UMIs of ambient
        RNA), `is_limit` (whether that is an upper limit, which is not taken off).
    counts
        `sample`, `group`, `gene`, `count` (missing if the sample's matrix lacks the gene),
        `ambient` (expected).
    """
    level = np.asarray(sums.counts.sum(axis=0)).ravel()
    names = [GeneSet(gene, "", (gene,)) for gene in genes]
    rows = match_genes(names, genes=sums.genes, symbols=sums.symbols, level=level)
    libraries, counts = [], []
    for group, populations in groups.items():
        part = _sum_group(sums, populations, sorted(known))
        own: dict[str, Any] = {"sample": part.samples, "group": group, "n_cells": part.n_cells}
        own |= {"umi": part.counts.sum(axis=1), "library": _libraries(part)}
        own |= {"ambient": part.ambient.sum(axis=1), "is_limit": part.is_limit}
        libraries.append(pd.DataFrame(own))
        has = np.array([[gene in known[name] for name in part.samples] for gene in genes])
        values, ambient = (
            np.array([sums[:, rows[gene]].sum(axis=1) for gene in genes])
            for sums in (part.counts, part.ambient)
        )
        one = {"sample": np.tile(part.samples, len(genes)), "group": group}
        one |= {"gene": np.repeat(list(genes), len(part.samples))}
        one |= {"count": np.where(has, values, np.nan).ravel(), "ambient": ambient.ravel()}
        counts.append(pd.DataFrame(one))
    return stacked(libraries, LIBRARY_COLUMNS), stacked(counts, COUNT_COLUMNS)


def find_genes(paths: Iterable[str | Path], genes: Sequence[str]) -> dict[str, set[str]]:
    """Find which genes the matrix of each sample has, in the sums of `annotate.sums.write_sums`.

    `genes` are symbols or Ensembl ids; case and versions of ids are ignored.
    """
    plain = {gene: plain_name(gene) for gene in genes}
    found: dict[str, set[str]] = {}
    listed: tuple[list[str], list[str]] = [], []
    names: set[str] = set()
    for sample, *own in sample_genes(paths):
        if tuple(own) != listed:  # most samples have the same genes
            listed = own[0], own[1]
            names = {plain_name(name) for part in own for name in part}
        found[sample] = {gene for gene, name in plain.items() if name in names}
    return found


@dataclass(frozen=True)
class _GroupSums:
    """Sums of a group in the samples that have its cells, samples x genes."""

    samples: list[str]
    n_cells: np.ndarray
    counts: Array
    ambient: Array
    is_limit: np.ndarray


def _sum_group(sums: Pseudobulks, populations: Sequence[str], samples: Sequence[str]) -> _GroupSums:
    rows = np.flatnonzero(sums.obs["population"].isin(populations))
    obs = sums.obs.iloc[rows]
    known = [name for name in samples if name in set(obs["sample"])]
    code = obs["sample"].map({name: i for i, name in enumerate(known)}).to_numpy(dtype=int)
    member = sparse.csr_array(
        (np.ones(len(rows)), (code, np.arange(len(rows)))), shape=(len(known), len(rows))
    )
    counts = (member @ sums.counts[rows]).toarray()
    ambient = np.zeros_like(counts) if sums.ambient is None else sums.ambient[rows]
    return _GroupSums(
        known,
        np.asarray(member @ obs["n_cells"].to_numpy(dtype=float)).astype(int),
        counts,
        ambient if sums.ambient is None else (member @ ambient).toarray(),
        np.asarray(member @ obs["ambient_is_limit"].to_numpy(dtype=float)) > 0,
    )


def _libraries(part: _GroupSums) -> Array:
    """Return library sizes without ambient RNA, with TMM factors of the genes of a group.

    Where ambient UMIs are an upper limit, they stay.
    """
    counts = without_ambient(part.counts, part.ambient, part.is_limit[:, None])
    library: Array = counts.sum(axis=1)
    used = counts.mean(axis=0) >= MIN_LEVEL if len(counts) else np.zeros(counts.shape[1], bool)
    if len(counts) < 2 or not used.any() or not counts[:, used].sum(axis=1).all():
        return library
    return library * tmm(counts[:, used].T)
