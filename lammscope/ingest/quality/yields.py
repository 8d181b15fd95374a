"""What quality control leaves of a sample."""

import logging

import pandas as pd

FEW_CELLS = 50  # fewer in a sample give a warning; our choice


def describe_yield(qc: pd.DataFrame, *, sample: str) -> tuple[int, str]:
    """Return a logging level and a message on how many barcodes of a sample pass.

    If hardly any pass, it is a warning; the run continues.
    """
    passed = int(qc["passes"].sum())
    message = f"sample {sample}: {passed:,} of {len(qc):,} barcodes pass quality control"
    if passed >= FEW_CELLS:
        return logging.INFO, message
    reasons = qc.loc[~qc["passes"], "reasons"].str.split(",").explode().value_counts()
    listed = ", ".join(f"{name} {n:,}" for name, n in reasons.items())
    return logging.WARNING, f"{message}{f' (failed: {listed})' if listed else ''}"
