"""Ambient RNA in the summed counts of a sample's populations.

It is estimated here, where the cells of each population are at hand: cells that express a gene are
left out of those that lack it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from lammscope.annotate.sums import GroupSums
from lammscope.core.ambient.populations import ambient_umis
from lammscope.core.indexed import CellIndex
from lammscope.core.names import PROFILE
from lammscope.core.shards import Shard


@dataclass(frozen=True)
class AmbientSums:
    """Ambient RNA of one sample.

    Attributes
    ----------
    groups
        Names of the populations that have cells.
    umis
        Expected ambient UMIs in the summed counts of each population.
    is_limit
        Whether these are an upper limit, for want of an estimate for the sample.
    profile
        Share of each gene of the sample in ambient RNA.
    """

    groups: np.ndarray
    umis: np.ndarray
    is_limit: np.ndarray
    profile: np.ndarray

    def expected(self, counts: np.ndarray) -> np.ndarray:
        """Return expected ambient UMIs (populations x genes), at most the given counts."""
        return np.asarray(np.minimum(self.umis[:, None] * self.profile, counts))


def sum_ambient(
    shard: Shard, *, positions: np.ndarray, labels: np.ndarray, contamination: float
) -> AmbientSums:
    """Estimate the ambient UMIs of each population of a sample.

    Parameters
    ----------
    shard
        Counts of the sample, with its ambient profile in `genes`.
    positions
        Rows that are kept cells.
    labels
        The population of each kept cell.
    contamination
        The sample's contamination fraction; NaN if it could not be estimated.
    """
    groups, codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    profile = shard.genes[PROFILE].to_numpy(dtype=np.float64)
    if not len(groups):
        return AmbientSums(groups, np.zeros(0), np.zeros(0, dtype=bool), profile)
    counts = sparse.csr_array(shard.counts[positions])
    found = ambient_umis(counts, profile=profile, populations=codes, contamination=contamination)
    return AmbientSums(groups, found.umis, found.is_limit, profile)


def add_overlapping(
    ambient: AmbientSums,
    sums: GroupSums,
    names: np.ndarray,
    *,
    overlapping: Mapping[str, np.ndarray],
) -> AmbientSums:
    """Add groups of cells of several populations, with their populations' share of ambient RNA.

    Parameters
    ----------
    ambient
        Of the populations.
    sums
        Sums over parts of the populations.
    names
        The population of each part.
    overlapping
        Further groups by name: which parts they contain (bool). Empty ones are left out, as in
        `sums.merge_groups`.
    """
    place = np.searchsorted(ambient.groups, names)
    umis = sums.counts.sum(axis=1)
    of_population = np.bincount(place, weights=umis, minlength=len(ambient.groups))
    share = ambient.umis / np.maximum(of_population, 1)
    groups, expected, limits = [ambient.groups], [ambient.umis], [ambient.is_limit]
    for name, inside in overlapping.items():
        if np.any(inside):
            parts = np.flatnonzero(inside)
            groups.append(np.array([name]))
            expected.append(np.array([(share[place[parts]] * umis[parts]).sum()]))
            limits.append(np.array([ambient.is_limit[place[parts]].any()]))
    return AmbientSums(
        np.concatenate(groups), np.concatenate(expected), np.concatenate(limits), ambient.profile
    )


def write_ambient(path: str | Path, ambient: Mapping[str, AmbientSums], index: CellIndex) -> None:
    """Write the ambient RNA of samples as a file of the cell index."""
    arrays = {"samples": np.array(list(ambient), dtype=str)}
    for number, own in enumerate(ambient.values()):
        arrays |= {
            f"{number}.groups": own.groups,
            f"{number}.umis": own.umis,
            f"{number}.is_limit": own.is_limit,
            f"{number}.profile": own.profile.astype(np.float32),
        }
    index.write_arrays(path, **arrays)


def read_ambient(
    paths: Iterable[str | Path], index: CellIndex
) -> Iterator[tuple[str, AmbientSums]]:
    """Read files written by `write_ambient`, one sample at a time."""
    for path in paths:
        arrays = index.read_arrays(path)
        for number, sample in enumerate(arrays["samples"].tolist()):
            names = ("groups", "umis", "is_limit", "profile")
            groups, umis, is_limit, profile = (arrays[f"{number}.{name}"] for name in names)
            yield sample, AmbientSums(groups.astype(str), umis, is_limit, profile)
