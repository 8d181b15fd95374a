"""Samples that share a job, so that several of them pay for the start of one process."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from lammscope.core.shards import InputRecord
from lammscope.ingest.inputs import count_files, total_size

MOST = 10  # samples of a part: starting a job takes as long as a sample of 500 cells
LEAST = 7  # samples of a part that is closed before it is full
CLOSING = 4  # one in so many names closes a part that has the least number of samples
# Of the matrices of a part together. Some 30,000 cells as 10x HDF5: large samples have a job each,
# so that jobs keep all cores busy.
MOST_BYTES = 96 * 2**20
ENOUGH_JOBS = 24  # to keep all cores busy where a job does little more than read kept cells


def divide_samples(samples: Sequence[str], *, sizes: Mapping[str, int]) -> dict[str, list[str]]:
    """Divide the samples into parts of consecutive ones.

    Where a part ends depends on names, too, so that a sample that is added or removed changes the
    parts near it and not all that follow.

    Parameters
    ----------
    samples
        The samples in order.
    sizes
        Bytes of their matrices; samples that are missing count as small.

    Returns
    -------
    dict
        By number of the part (`001`, `002`, ...): its samples.

    Examples
    --------
    >>> divide_samples(["a", "b", "c"], sizes={"b": 10**9})
    {'001': ['a'], '002': ['b'], '003': ['c']}
    """
    parts: list[list[str]] = []
    total, is_open = 0, False
    for sample in samples:
        size = sizes.get(sample, 0)
        if not is_open or total + size > MOST_BYTES:
            parts.append([])
            total = 0
        parts[-1].append(sample)
        total += size
        is_open = len(parts[-1]) < MOST and not (len(parts[-1]) >= LEAST and _closes(sample))
    return {f"{number:03d}": part for number, part in enumerate(parts, 1)}


def join_parts(
    parts: Mapping[str, Sequence[str]], *, sizes: Mapping[str, int]
) -> dict[str, list[str]]:
    """Join consecutive parts for jobs that read kept cells, half of whose time is to start.

    Parts stay apart in cohorts of fewer than about a gigabyte, or 350,000 cells as 10x HDF5.

    Parameters
    ----------
    parts
        From `divide_samples`.
    sizes
        Bytes of the matrices, as there.

    Returns
    -------
    dict
        By number, as there: samples with at most one in `ENOUGH_JOBS` of all bytes, or one part.
    """
    most = sum(sizes.values()) / ENOUGH_JOBS
    joined: list[list[str]] = []
    for part in parts.values():
        both = [*joined[-1], *part] if joined else []
        if 0 < len(both) <= MOST and sum(sizes.get(sample, 0) for sample in both) <= most:
            joined[-1] = both
        else:
            joined.append(list(part))
    return {f"{number:03d}": part for number, part in enumerate(joined, 1)}


def divide_channels(
    parts: Mapping[str, Sequence[str]], *, channels: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Divide channels (each with its samples) as their first samples are; parts may be left out."""
    part_of = {sample: part for part, samples in parts.items() for sample in samples}
    divided: dict[str, list[str]] = {}
    for channel, samples in channels.items():
        divided.setdefault(part_of[samples[0]], []).append(channel)
    return divided


def sizes_of(
    matrices: Mapping[str, str],
    *,
    records: Mapping[str, InputRecord],
    remote: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Return the bytes of each sample's matrix, a file or in a folder; 0 if there is none.

    That of an archived matrix is in the record of the last run, so that parts stay the same.
    `remote` has those on servers, by address.
    """
    recorded = {sample: record.size for sample, record in records.items()}
    on_servers = remote or {}
    return {
        sample: on_servers.get(path) or _size(Path(path)) or recorded.get(sample, 0)
        for sample, path in matrices.items()
    }


def _size(path: Path) -> int:
    files = count_files(path) if path.is_dir() else [path]
    return total_size([file for file in files if file.is_file()])


def _closes(sample: str) -> bool:
    return hashlib.sha256(sample.encode()).digest()[0] % CLOSING == 0
