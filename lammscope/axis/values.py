"""Levels of pairs in single patients, for figures and for readers who check the tests."""

import numpy as np
import pandas as pd

from lammscope.axis.batches import AxisQuestion, Batch
from lammscope.cohort.contrasts import SIDES

COLUMNS = [
    *("pair", "sender", "receiver", "patient", "arm", "side"),
    *("sender_level", "receiver_level", "sum", "supply", "n_sender", "n_receiver"),
]
LEVELS = {"sender": "sender_level", "receiver": "receiver_level", "sum": "sum", "supply": "supply"}


def patient_values(question: AxisQuestion) -> pd.DataFrame:
    """Return the levels of each pair in each patient with enough cells.

    Returns
    -------
    DataFrame
        `pair`, `sender`, `receiver`, `patient`, `arm`, `side` (test or reference; for contrasts
        without sides that of the patient), `sender_level` and `receiver_level` (log2 counts per
        million), `sum`, `supply`, `n_sender` and `n_receiver` (cells).
    """
    parts = [_of_batch(batch) for batch in question.batches if batch.patients.keep.any()]
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in COLUMNS})


def _of_batch(batch: Batch) -> dict[str, np.ndarray]:
    """Return columns of one row per pair, patient and side."""
    contrast, units = batch.patients.contrast, batch.patients.units
    sides = SIDES if contrast.has_sides else ("",)
    n_pairs, n_units, n_sides = shape = len(batch.pairs), len(units), len(sides)
    table = {
        "pair": np.repeat([pair.name for pair in batch.pairs], n_units * n_sides),
        "sender": np.full(np.prod(shape), batch.sender, dtype=object),
        "receiver": np.full(np.prod(shape), batch.receiver, dtype=object),
    }
    for name in ("patient", "arm"):
        own = np.repeat(units[name].to_numpy(dtype=object), n_sides)
        table[name] = np.tile(own, n_pairs)
    own_side = np.tile(np.array(sides, dtype=object), n_pairs * n_units)
    table["side"] = own_side if contrast.has_sides else table["arm"]
    for measure, name in LEVELS.items():
        levels = batch.levels.get(measure, np.full(shape, np.nan))
        table[name] = levels.ravel().round(4)
    for role, group in (("sender", batch.sender), ("receiver", batch.receiver)):
        n_cells = batch.question.own[group].n_cells[batch.patients.keep]
        table[f"n_{role}"] = np.tile(n_cells.ravel().astype(int), n_pairs)
    return table
