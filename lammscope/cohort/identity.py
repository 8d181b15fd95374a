"""Samples that are one library under several names: links, copies, and the same cells."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lammscope.core.digests import file_digest
from lammscope.core.shards import InputRecord
from lammscope.core.words import shortened
from lammscope.ingest.inputs import count_files, main_files, total_size

START = 2**16  # bytes that are compared first; files of one size rarely share them


class Source(NamedTuple):
    """A sample, its `counts`, and the files that hold them."""

    sample: str
    counts: str
    files: list[Path]


def file_identity(counts: str) -> str:
    """Identify the file that `counts` names, whatever the spelling of its path or links to it."""
    try:
        found = main_files(counts)[0].stat()
    except OSError:  # it may be archived
        return Path(counts).absolute().as_posix()
    return f"{found.st_dev}:{found.st_ino}"


def copied_matrices(samples: pd.DataFrame) -> Iterator[str]:
    """Find samples whose matrices are copies of one file, under other names.

    Only files of the same size are opened, and only the first of several links to a file.
    """
    sources: dict[str, Source] = {}
    genomes = samples.get("genome", pd.Series(pd.NA, index=samples.index, dtype="str"))
    for sample, counts, genome in zip(samples["sample"], samples["counts"], genomes, strict=True):
        if isinstance(sample, str) and isinstance(counts, str) and Path(counts).exists():
            files = count_files(counts, genome=genome if isinstance(genome, str) else None)
            sources.setdefault(file_identity(counts), Source(sample, counts, files))
    for twins in _equal_files(list(sources.values())):
        names = [source.sample for source in twins]
        first, second = (source.counts for source in twins[:2])
        yield (
            f"samples {listed(names)}: their matrices are copies of one file (e.g. {first} and "
            f"{second}), so each cell would be counted several times; correct `counts`, or if the "
            "samples share a channel, write one path in all rows and list the cells of each "
            "sample in `barcodes`"
        )


def samples_of_same_cells(
    samples: Sequence[str], records: Mapping[str, InputRecord]
) -> Iterator[str]:
    """Find samples that an earlier run has read in and that hold the same cells."""
    cells = {name: records[name].cells for name in samples if name in records}
    for digest, group in groupby(sorted(cells, key=lambda name: (cells[name], name)), cells.get):
        names = list(group)
        if digest and len(names) > 1:
            yield (
                f"samples {listed(names)}: the same barcodes with the same UMIs, so each cell "
                "would be counted several times; correct `counts`, or remove all rows but one"
            )


def listed(names: Sequence[str]) -> str:
    """Return names of samples as text, the first few of many."""
    return shortened([f"`{name}`" for name in names])


def _equal_files(sources: list[Source]) -> list[list[Source]]:
    """Group samples whose files are equal: by size, then by their start, then by content."""
    groups = [sources]
    for key in (total_size, _start, _whole):
        parts: dict[tuple[int, int | str], list[Source]] = {}
        for number, group in enumerate(groups):
            for source in group:
                with suppress(OSError):  # reported when the matrix is inspected
                    parts.setdefault((number, key(source.files)), []).append(source)
        groups = [group for (_, value), group in parts.items() if len(group) > 1 and value]
    return groups


def _start(files: Sequence[Path]) -> str:
    with files[0].open("rb") as handle:
        return hashlib.sha256(handle.read(START)).hexdigest()


def _whole(files: Sequence[Path]) -> str:
    return file_digest(*files)
