"""Levels of pairs in single patients, for figures and for readers who check the tests."""

import pandas as pd

from lammscope.axis.batches import AxisQuestion, Batch, make_batches
from lammscope.cohort.contrasts import SIDES

COLUMNS = [
    *("pair", "sender", "receiver", "patient", "arm", "side"),
    *("sender_level", "receiver_level", "sum", "supply", "n_sender", "n_receiver"),
]


def patient_values(question: AxisQuestion) -> pd.DataFrame:
    """Return the levels of each pair in each patient with enough cells.

    Returns
    -------
    DataFrame
        `pair`, `sender`, `receiver`, `patient`, `arm`, `side` (test or reference; for contrasts
        without sides that of the patient), `sender_level` and `receiver_level` (log2 counts per
        million), `sum`, `supply`, `n_sender` and `n_receiver` (cells).
    """
    tables = [_of_batch(batch) for batch in make_batches(question) if batch.keep.any()]
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def _of_batch(batch: Batch) -> pd.DataFrame:
    """Return one row per pair, patient and side."""
    contrast, units = batch.question.comparison.contrast, batch.units
    sides = SIDES if contrast.has_sides else ("",)
    index = pd.MultiIndex.from_product(
        [[pair.name for pair in batch.pairs], range(len(units)), sides],
        names=["pair", "unit", "side"],
    )
    table = index.to_frame(index=False)
    at = table["unit"].to_numpy()
    table["patient"] = units["patient"].to_numpy()[at]
    table["arm"] = units["arm"].to_numpy()[at]
    if not contrast.has_sides:
        table["side"] = table["arm"]
    names = {"sender": "sender_level", "receiver": "receiver_level"}
    for measure, levels in batch.levels.items():
        table[names.get(measure, measure)] = levels.ravel().round(4)
    for role, group in (("sender", batch.sender), ("receiver", batch.receiver)):
        n_cells = batch.question.own[group].n_cells[batch.keep].astype(int)
        table[f"n_{role}"] = [*n_cells.ravel()] * len(batch.pairs)
        table[role] = group
    return table.reindex(columns=COLUMNS)
