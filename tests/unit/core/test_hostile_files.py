"""Hostile files of the benchmark that are quick to make: refused, and no code of theirs runs."""

import re
from pathlib import Path

import pytest

from benchmarks.hostile_files import CANARY, FILES, OUTSIDE, SECRET
from benchmarks.hostile_inputs import open_file

# Name of a file, and what its refusal says. The others take seconds: run the benchmark.
REFUSED = {
    "a model that runs a command": "names `posix.system`, which no such model needs",
    "a model that evaluates Python": "names `builtins.eval`",
    "a model that imports by attributes": "names `numpy.lib.format.os.system`",
    "a model of a scikit-learn function": "names `joblib.numpy_pickle.load`",
    "a model with a vast array": "not a CellTypist model",
    "a model with a forged dtype": "an array of objects that are not text",
    "a model with a vast memo": "more places than bytes",
    "a model that changes a class": "not a CellTypist model",
    "10x: a link to another file": "/matrix/features/name is a link to another file",
    "10x: a link within to a link out": "/elsewhere is a link to another file",
    "10x: names in a text file of the system": "keeps its values in another file",
    "10x: a virtual dataset": "is a virtual dataset of other files",
    "10x: 4 TB that were never written": "/matrix/data has the shape 1000000000000",
    "10x: one chunk of 2 GB": "stored bytes are too few",
    "h5ad: 10^12 cells in a sparse matrix": "states a size of",
    "h5ad: 4 TB in a dense matrix": "/X has the shape 1000000 x 1000000",
    "h5ad: a layer in another file": "/layers/counts keeps its values in another file",
    "loom: 4 TB": "/matrix has the shape",
    "rds: the numbers 1 to 10^9 in 100 bytes": "more than the file could hold",
    "rds: a vector of 2 billion numbers, without them": "cannot parse it",
    "zarr: values that are a pickle": "pickle",
    "zarr: 8 TB without a file": "X has the shape 1000000 x 1000000",
    "zarr: names outside the store": "is invalid",
    "xlsx: an entity of another file": "declares entities of XML",
    "xlsx: a merged area of 17 billion cells": "merged cells A1:XFD1048576",
    "sheet: a name from right to left": "U+202E, right-to-left override",
    "sheet: a name with a space of no width": "U+200B, zero width space",
    "sheet: a name of 5,000 letters": "has 5,000 letters",
    "sheet: a name that is a formula": "begins like a formula",
    "sheet: a pipe that never ends": "is a device or pipe",
    "counts: a pipe that never ends": "is a device or pipe",
    "config: a billion laughs": "line 6: over 200,000 values",
    "config: a billion merged keys": "over 200,000 values",
    "config: 100,000 levels": "nested over 50 levels",
    "panel: a device without end": "is a device or pipe",
    "definition: a billion laughs": "over 200,000 values",
}


@pytest.mark.filterwarnings("ignore")  # zarr's, of the format that the file is written in
@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_and_nothing_outside_is_read(name: str, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (tmp_path / OUTSIDE).write_text(f"{SECRET}\n" * 20)
    door, make = FILES[name]
    path = make(own)
    with pytest.raises(ValueError, match=re.escape(REFUSED[name])) as refusal:
        open_file(door, path)
    assert SECRET not in str(refusal.value)
    assert not (tmp_path / CANARY).exists()
