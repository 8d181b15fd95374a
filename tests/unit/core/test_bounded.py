"""Limits on what files from elsewhere may become, and that real files stay below them."""

import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from lammscope.core.bounded import FREE
from lammscope.core.files import open_hdf5, open_text, text_lines
from lammscope.core.plain_text import first_problem, text_problem
from lammscope.core.yaml_text import load_yaml


def test_a_sparse_table_of_counts_is_read_and_a_bomb_is_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.random((600, 20_000)) < 0.01  # 24 MB, compressed about 70 times
    text = "\n".join(",".join("1" if value else "0" for value in row) for row in values)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text.encode(), 6))
    assert len(text) > FREE
    with open_text(path) as handle:
        assert handle.read() == text
    path.write_bytes(gzip.compress(b"0," * FREE))
    with open_text(path) as handle, pytest.raises(ValueError, match="decompresses to over 200"):
        handle.read()


def test_lines_are_those_of_a_split_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfa\tb\r\n\r\n c \rd\n \nlast")
    assert text_lines(path) == ["a\tb", " c ", "d", "last"]


def test_arrays_that_compress_well_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        counts = np.random.default_rng(1).poisson(0.02, 30_000_000).astype("i4")
        file.create_dataset("x", data=counts, compression="gzip", chunks=(10**6,))
        file.create_dataset("same", data=np.zeros(10**7, dtype="i1"), compression="gzip")
        file["link"] = h5py.SoftLink("/x")
    with open_hdf5(path) as file:
        assert file["link"].shape == counts.shape


@pytest.mark.parametrize(
    "text", ["P1", "-7", "+28", "+", "-CAR", "CD8+ T", "résumé", "患者", "-2.5"]
)
def test_usual_names_are_no_problem(text: str) -> None:
    assert text_problem(text) == ""
    assert first_problem(["GENE", text]) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [("=1+1", "formula"), ("@SUM(A1)", "formula"), ("-2+cmd|' /C calc'!A0", "formula"),
     ("a\tb", "U+0009"), ("\ufeffa", "U+FEFF"), ("x" * 2000, "2,000 letters")],
)  # fmt: skip
def test_names_that_mislead_are_refused(text: str, said: str) -> None:
    assert said in text_problem(text)
    assert said in first_problem(["GENE", text])


def test_aliases_are_read_where_they_are_few() -> None:
    assert load_yaml("a: &a {b: [1, 2]}\nc: *a\nd: {<<: *a, e: 3}")["d"] == {"b": [1, 2], "e": 3}
    with pytest.raises(yaml.YAMLError, match="line 1: `\\*a` stands for nothing"):
        load_yaml("a: &a [*a]")
