"""The contamination fractions of samples, from the tables that `ingest_samples` writes."""

from collections.abc import Iterable
from pathlib import Path

from lammscope.core.indexed import read_table


def read_fractions(samples: Iterable[str], paths: Iterable[str | Path]) -> dict[str, float]:
    """Read the contamination fraction of each sample; NaN if it could not be estimated.

    Parameters
    ----------
    samples
        Names of the samples, as in the sheet; those in the tables may look like numbers.
    paths
        `qc/{sample}.contamination.tsv` of each sample, in the same order.
    """
    tables = map(read_table, paths)
    pairs = zip(samples, tables, strict=True)
    return {sample: float(table["contamination"].iloc[0]) for sample, table in pairs}
