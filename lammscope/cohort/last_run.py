"""Samples that the last run has read in, so that their matrices may be archived."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lammscope.cohort.sample_table import read_sample_table

# input of a per-sample count file
INGESTED_FROM = ["sample", "counts", "barcodes", "genome", "layer"]


@dataclass(frozen=True)
class LastRun:
    """The `qc` settings of the last run, and the rows of its sample table that were read in."""

    qc: Mapping[str, Any]
    samples: pd.DataFrame


def read_last_run(
    config: str | Path, samples: str | Path, *, ingested: Sequence[str]
) -> LastRun | None:
    """Read the saved config and sample table of a run, or return None if either is unreadable.

    Parameters
    ----------
    config, samples
        The saved config and sample table.
    ingested
        Patterns of the files made from a sample, with `{sample}`. Only samples that have all of
        these files are kept.
    """
    try:
        qc = yaml.safe_load(Path(config).read_text(encoding="utf-8"))["qc"]
        table = read_sample_table(samples)
        names = table["sample"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None
    there = [
        all(Path(pattern.format(sample=name)).exists() for pattern in ingested) for name in names
    ]
    return LastRun(qc, table[there])


def find_ingested(samples: pd.DataFrame, last: LastRun | None) -> pd.Series:
    """Return which samples the last run has read in from the same input (bool per sample)."""
    known = set() if last is None else set(_origins(last.samples))
    return pd.Series([origin in known for origin in _origins(samples)], index=samples.index)


def _origins(samples: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the input of each sample's count file as text."""
    table = samples.reindex(columns=INGESTED_FROM).astype("str").fillna("")
    for column in ("counts", "barcodes"):
        table[column] = [Path(path).as_posix() for path in table[column]]
    return list(table.itertuples(index=False, name=None))
