"""What the last run in a folder of results has read in, so that its matrices may be archived."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lammscope.cohort.sample_table import read_sample_table

INGESTED_FROM = ["sample", "counts", "barcodes", "genome"]  # columns that decide on a shard


@dataclass(frozen=True)
class LastRun:
    """Settings and samples of what is there already: `qc`, and rows of the saved sample table."""

    qc: Mapping[str, Any]
    samples: pd.DataFrame


def read_last_run(
    config: str | Path, samples: str | Path, *, ingested: Sequence[str]
) -> LastRun | None:
    """Read what a run saved about itself; None where it did not, or where that is damaged.

    Parameters
    ----------
    config, samples
        The saved config and sample table.
    ingested
        Patterns of what a sample is read into, with `{sample}`; only samples that have all of
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
    """Which samples the last run read in from the same matrix in the same way (True or False)."""
    known = set() if last is None else set(_origins(last.samples))
    return pd.Series([origin in known for origin in _origins(samples)], index=samples.index)


def _origins(samples: pd.DataFrame) -> list[tuple[str, ...]]:
    """What a sample's shard is made from, as plain text."""
    table = samples.reindex(columns=INGESTED_FROM).astype("str").fillna("")
    for column in ("counts", "barcodes"):
        table[column] = [Path(path).as_posix() for path in table[column]]
    return list(table.itertuples(index=False, name=None))
