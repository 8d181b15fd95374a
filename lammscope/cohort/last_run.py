"""Samples that the last run has read in, so that their matrices may be archived.

A matrix that still exists must be the one that was read in: its size, or on demand its checksum, is
compared with the record in the per-sample count file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.digests import file_digest
from lammscope.core.plain_text import read_text
from lammscope.core.shards import CHECKSUM, InputRecord, read_record
from lammscope.core.yaml_text import load_yaml
from lammscope.ingest.inputs import input_files, total_size

# input of a per-sample count file
INGESTED_FROM = ["sample", "counts", "barcodes", "genome", "layer"]


SHARD = "shards/{sample}.h5ad"  # below the folder of results
TABLES = ("qc/{sample}.parquet", "qc/{sample}.moments.parquet")


@dataclass(frozen=True)
class LastRun:
    """The last run: its `qc` settings, the rows of its sample table that were read in, and records.

    `records` has what each sample was made from, as far as it is recorded.
    """

    qc: Mapping[str, Any]
    samples: pd.DataFrame
    records: Mapping[str, InputRecord]


def read_last_run(results: str | Path) -> LastRun | None:
    """Read the saved config and sample table of a run, or return None if either is unreadable.

    Only samples that have their count file and the tables made with it are kept. `results` is the
    folder of results.
    """
    folder = Path(results)
    try:
        qc = load_yaml(read_text(folder / "config.yaml"))["qc"]
        table = read_sample_table(folder / "design" / "samples.tsv")
        names = table["sample"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None
    there = [
        all((folder / pattern.format(sample=name)).exists() for pattern in (SHARD, *TABLES))
        for name in names
    ]
    table = table[there]
    records = {name: _record_of(folder / SHARD.format(sample=name)) for name in table["sample"]}
    return LastRun(qc, table, {name: r for name, r in records.items() if r is not None})


def _record_of(shard: Path) -> InputRecord | None:
    """Return the record of a sample; None if it is damaged, so that the sample is read in again."""
    try:
        return read_record(shard)
    except ValueError:
        return None


def without_changed(last: LastRun, *, compare: str) -> tuple[LastRun, dict[tuple[str, str], str]]:
    """Leave out samples whose files changed since they were read in.

    Parameters
    ----------
    last
        The last run.
    compare
        What is compared: `size` or `checksum`. Files that do not exist any more are not.

    Returns
    -------
    last
        The last run without these samples.
    changed
        What changed, in words, by sample and path of its matrix.
    """
    changed = {}
    for sample, *origin in _origins(last.samples):
        record = last.records.get(sample)
        words = None if record is None else _change(origin, record, compare=compare)
        if words:
            changed[sample, origin[0]] = words
    kept = last.samples[~last.samples["sample"].isin([sample for sample, _ in changed])]
    return replace(last, samples=kept), changed


def input_states(samples: pd.DataFrame, last: LastRun | None, *, compare: str) -> dict[str, str]:
    """Return the state of each sample's files, for Snakemake to compare with that of the last run.

    It is the recorded state of samples that the last run has read in, and else what the record will
    be. Samples whose files do not exist have none.
    """
    known = find_ingested(samples, last)
    states = {}
    for (sample, *origin), is_known in zip(_origins(samples), known, strict=True):
        record = last.records.get(sample) if last and is_known else None
        files = _present_files(origin)
        if record is not None:
            states[sample] = record.state
        elif files:
            size = total_size(files)
            checksum = file_digest(*files) if compare == CHECKSUM else ""
            states[sample] = InputRecord(compare, size, checksum, "").state
    return states


def find_ingested(samples: pd.DataFrame, last: LastRun | None) -> pd.Series:
    """Return which samples the last run has read in from the same input (bool per sample).

    Thresholds of their own, in columns of the sample sheet, must be the same, too.
    """
    if last is None:
        return pd.Series(False, index=samples.index)
    known = set(_with_limits(last.samples, limits=last.qc))
    rows = _with_limits(samples, limits=last.qc)
    return pd.Series([row in known for row in rows], index=samples.index)


def _change(origin: Sequence[str], record: InputRecord, *, compare: str) -> str | None:
    """Return in words what changed in files since they were read in, or None."""
    files = _present_files(origin)
    if not files:
        return None
    size = total_size(files)
    if size != record.size:
        return f"{record.size:,} bytes then, {size:,} now"
    try:
        same = compare != CHECKSUM or file_digest(*files) == record.checksum
    except OSError as error:  # reported when it is inspected
        return str(error)
    return None if same else f"still {size:,} bytes, but with another checksum"


def _present_files(origin: Sequence[str]) -> list[Path]:
    """Return the files that a sample is read from; none if one of them does not exist."""
    counts, barcodes, genome, layer = origin
    if not counts:
        return []
    files = input_files(counts, barcodes=barcodes, genome=genome or None, layer=layer or None)
    return files if all(path.is_file() for path in files) else []


def _with_limits(
    samples: pd.DataFrame, *, limits: Iterable[str]
) -> list[tuple[tuple[str, ...], tuple[float, ...]]]:
    """Return the origin of each sample, and its own thresholds (-1 where it has none)."""
    own = samples.reindex(columns=list(limits)).apply(pd.to_numeric, errors="coerce").fillna(-1)
    rows = own.astype(float).itertuples(index=False, name=None)
    return list(zip(_origins(samples), rows, strict=True))


def _origins(samples: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return sample, matrix, list of barcodes, genome and layer of each count file as text."""
    table = samples.reindex(columns=INGESTED_FROM).astype("str").fillna("")
    for column in ("counts", "barcodes"):
        table[column] = [Path(path).as_posix() if path else "" for path in table[column]]
    return list(table.itertuples(index=False, name=None))
