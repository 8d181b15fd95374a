"""Samples that hold the same cells, such as one library under two names."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from lammscope.core.barcodes import nucleotides_of
from lammscope.core.runtime import logger
from lammscope.core.words import shortened

# Barcodes that a kit can draw: 10x 3' v2 and 5' have 737,280, later kits more. The smallest list
# gives the largest overlap by chance.
BARCODES_OF_KIT = 737_280
MAX_SHARED = 0.2  # of the smaller sample's barcodes, beyond chance; more are named
# Of the smaller sample's barcodes with equal UMIs. The raw and the filtered matrix of a library
# share all, two libraries nearly none; our choice.
SAME_CELLS = 0.9
MIN_SHARED = 10  # fewer shared barcodes show nothing


def check_samples(qc: Mapping[str, pd.DataFrame], *, channels: Mapping[str, str]) -> dict[str, str]:
    """Refuse samples that hold the same cells, and log samples that share many barcodes.

    Barcodes are compared by their nucleotides, without prefixes and suffixes. Names without
    nucleotides, such as numbers, are shared by many samples and count only with equal UMIs.

    Parameters
    ----------
    qc
        Per sample, `barcode` and `total_counts` (UMIs) of its barcodes.
    channels
        The channel of each sample. Samples of one channel may share barcodes.

    Returns
    -------
    dict
        Per sample of `qc`, the samples with which it shares many barcodes and the shared % of the
        smaller one, such as `P02 45 %`; empty text if there are none.

    Raises
    ------
    ValueError
        If nearly all barcodes of a sample are in another one with the same number of UMIs.
    """
    names = list(qc)
    barcodes, cells = zip(*(_codes(qc[name]) for name in names), strict=True)
    sizes = np.array([len(codes) for codes in barcodes])
    smaller = np.maximum(np.minimum.outer(sizes, sizes), 1)
    shared, same = _n_shared(barcodes), _n_shared(cells)
    pairs = np.triu(np.ones(shared.shape, dtype=bool), k=1)
    equal = pairs & (same >= MIN_SHARED) & (same >= SAME_CELLS * smaller)
    if equal.any():
        raise ValueError(_refusal(names, equal))
    by_chance = np.outer(sizes, sizes) / BARCODES_OF_KIT
    of_channel = np.array([channels[name] for name in names])
    apart = of_channel[:, np.newaxis] != of_channel
    many = pairs & apart & (shared >= MIN_SHARED) & (shared - by_chance > MAX_SHARED * smaller)
    percent, expected = 100 * shared / smaller, 100 * by_chance / smaller
    partners = {
        name: ", ".join(f"{names[j]} {percent[i, j]:.0f} %" for j in np.flatnonzero(row))
        for i, (name, row) in enumerate(zip(names, many | many.T, strict=True))
    }
    listed = [
        f"`{names[i]}` and `{names[j]}` {percent[i, j]:.0f} % ({expected[i, j]:.1f} % by chance)"
        for i, j in np.argwhere(many)
    ]
    if listed:
        logger.warning(
            "samples that share barcodes: %s; are they one library counted twice? If they share a "
            "10x lane, give them one `channel` in the sample sheet; else correct `counts`",
            shortened(listed),
        )
    return partners


def _codes(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers that stand for a sample's barcodes, and for its barcodes with their UMIs."""
    names = table["barcode"].astype(str).reset_index(drop=True)
    umis = table["total_counts"].reset_index(drop=True)
    found = nucleotides_of(names)
    barcodes = found.where(found.notna(), names + " " + umis.astype(str))
    hashed = pd.Series(pd.util.hash_array(barcodes.to_numpy(dtype=object)))
    both = pd.util.hash_pandas_object(pd.DataFrame({"name": hashed, "umis": umis}), index=False)
    return np.unique(hashed.to_numpy()), np.unique(both.to_numpy())


def _n_shared(codes: Sequence[np.ndarray]) -> np.ndarray:
    """Count the codes that each pair of samples shares (samples x samples)."""
    known, columns = np.unique(np.concatenate(codes), return_inverse=True)
    indptr = np.cumsum([0, *map(len, codes)])
    shape = (len(codes), len(known))
    present = sparse.csr_array((np.ones(len(columns), dtype=np.int64), columns, indptr), shape)
    shared: np.ndarray = (present @ present.T).toarray()
    return shared


def _refusal(names: Sequence[str], equal: np.ndarray) -> str:
    """Name the groups of samples that hold the same cells."""
    n_groups, group = connected_components(sparse.csr_array(equal), directed=False)
    members = [
        [name for name, of in zip(names, group, strict=True) if of == number]
        for number in range(n_groups)
    ]
    told = [shortened(f"`{name}`" for name in sorted(m)) for m in members if len(m) > 1]
    groups = shortened(told, separator="; ")
    return (
        f"samples of the same cells: {groups}: their barcodes have the same UMIs, so "
        "each cell would be counted several times; are they links, copies, or the raw and the "
        "filtered matrix of one library? Correct `counts` in the sample sheet, or remove all rows "
        "but one"
    )
