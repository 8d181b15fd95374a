"""Matrix Market files of the form `array`: a dense matrix, one value after the other."""

import io
from pathlib import Path

import numpy as np
from scipy import sparse

from lammscope.core.files import AGAIN, HOLDS_NUL, NUL
from lammscope.ingest.matrices.counts import first_non_count, not_counts

CHARACTERS_AT_A_TIME = 20_000_000  # about ten million values


def array_entries(
    handle: io.TextIOWrapper, *, matrix: Path, shape: tuple[int, int]
) -> sparse.csr_array:
    """Read the values after the size, column by column, keeping nonzero values only.

    Parameters
    ----------
    handle
        The open file, after its size.
    matrix
        Its path, for messages.
    shape
        The numbers of rows and columns.

    Raises
    ------
    ValueError
        If there are more or fewer values than the size says, or if one is not a count.
    """
    places, counts = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    n_read = 0
    while lines := handle.readlines(CHARACTERS_AT_A_TIME):
        values = _numbers("".join(lines), matrix=matrix)
        bad = first_non_count(values)
        if bad is not None:
            raise ValueError(not_counts(values[bad]))
        filled = values.nonzero()[0]
        places.append(filled + n_read)
        counts.append(values[filled].astype(np.int64))
        n_read += len(values)
    n_rows, n_columns = shape
    if n_read != n_rows * n_columns:
        more = "truncated" if n_read < n_rows * n_columns else "damaged"
        raise ValueError(
            f"{matrix.name} is {more} ({n_read} of {n_rows * n_columns} values are there): {AGAIN}"
        )
    columns, rows = np.divmod(np.concatenate(places), n_rows)
    return sparse.csr_array((np.concatenate(counts), (rows, columns)), shape=shape)


def _numbers(text: str, *, matrix: Path) -> np.ndarray:
    if NUL in text:
        raise ValueError(f"{matrix.name} {HOLDS_NUL}")
    try:
        return np.array(text.split(), dtype=float)
    except ValueError as error:
        raise ValueError(
            f"{matrix.name} has a value that is no number ({error}): {AGAIN}"
        ) from error
