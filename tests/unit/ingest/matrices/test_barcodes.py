"""Lists of barcodes: as users and R write them, and as the matrix names the same cells."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lammscope.ingest.matrices.barcodes import match_barcodes, read_barcodes
from tests.matrices import small_shard, write_lines

NAMES = small_shard(12).barcodes
TEN = list(NAMES[:10])

LISTS = {
    "plain": TEN,
    "blank lines": ["", *TEN[:4], "  ", *TEN[4:], ""],
    "spaces": [f" {name} " for name in TEN],
    "quoted": [f'"{name}"' for name in TEN],
    "tsv": [f"{name}\tCD8\t3" for name in TEN],
    "csv": [f'"{name}","CD8, naive"' for name in TEN],
    "header": ["barcode", *TEN],
    "header x": ['"x"', *(f'"{name}"' for name in TEN)],
    "header of a table": ["CellID,type", *(f"{name},x" for name in TEN)],
    "header elsewhere": ["sample\tbarcode\ttype", *(f"S1\t{name}\tB" for name in TEN)],
    "unknown header": ["CB", *TEN],
    "R with row names": ['"","x"', *(f'"{i}","{name}"' for i, name in enumerate(TEN, 1))],
    "R table": ['"x"', *(f'"{i}" "{name}"' for i, name in enumerate(TEN, 1))],
    "row names": ["type", *(f"{name}\tB" for name in TEN)],
    "the word x in a column": [f"{name},x" for name in TEN],
    "Windows": [f"{name}\r" for name in TEN],
    "no nucleotides": ["cell_id", *(f"c{i}" for i in range(10))],
}


@pytest.mark.parametrize("suffix", [".txt", ".tsv.gz"])
@pytest.mark.parametrize("name", LISTS)
def test_each_kind_of_list_gives_the_barcodes(tmp_path: Path, name: str, suffix: str) -> None:
    expected = [f"c{i}" for i in range(10)] if name == "no nucleotides" else TEN
    read = read_barcodes(write_lines(LISTS[name], tmp_path / f"x{suffix}"))
    assert read.tolist() == expected
    assert read.dtype.kind == "U"


def test_a_byte_order_mark_is_no_part_of_a_barcode(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(TEN).encode())
    assert read_barcodes(path).tolist() == TEN


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"", "lists no barcode"),
        (b"\n\n", "lists no barcode"),
        (b"barcode\n", "lists no barcode"),
        (f"{TEN[0]}\n{TEN[1]}\n{TEN[0]}\n".encode(), f"lists {TEN[0]} twice"),
        (b"\xff\x00\xe4", "is not UTF-8 text"),
        (gzip.compress(b"AAACCCAAGT\n" * 9, mtime=0)[:20], "end early"),
        (b'"' + b"A" * 200_000, "field larger than"),
    ],
)
def test_a_bad_list_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "x.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r".") as caught:
        read_barcodes(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    order=st.permutations(range(12)),
    chosen=st.sets(st.integers(0, 11), min_size=1),
    listed_affixes=st.sampled_from(
        [("", ""), ("P1_", ""), ("CAR-T1:", "-1"), ("", "-7"), ("a b_", ".1")]
    ),
    present_affixes=st.sampled_from([("", ""), ("Axi-R-15_", "-1"), ("", "-1"), ("S:", "_2")]),
)
def test_affixes_are_no_difference(
    order: list[int],
    chosen: set[int],
    listed_affixes: tuple[str, str],
    present_affixes: tuple[str, str],
) -> None:
    cores = [name.removesuffix("-1") for name in NAMES]

    def named(places: range | list[int], affixes: tuple[str, str]) -> np.ndarray:
        return np.array([f"{affixes[0]}{cores[place]}{affixes[1]}" for place in places])

    present = named(range(12), present_affixes)
    listed = named([place for place in order if place in chosen], listed_affixes)
    found = match_barcodes(listed, present, path="x")
    assert found.tolist() == sorted(chosen)
    assert found.dtype == np.int64


def test_names_without_nucleotides_match_without_affixes() -> None:
    listed = np.array(["s1_c1-1", "s1_c3-1"])
    assert match_barcodes(listed, np.array(["c1", "c2", "c3"]), path="x").tolist() == [0, 2]


def test_barcodes_of_two_parts_are_whole() -> None:
    present = np.array(["AAAAAAAA-CCCCCCCC", "AAAAAAAA-GGGGGGGG"])
    listed = np.array(["S1_AAAAAAAA-GGGGGGGG"])
    assert match_barcodes(listed, present, path="x").tolist() == [1]


def test_exact_names_win_over_what_affixes_would_allow() -> None:
    present = np.array(["AAACCCAAGT-1", "AAACCCAAGT-2"])
    assert match_barcodes(present[1:], present, path="x").tolist() == [1]


def test_the_number_of_absent_barcodes_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    found = match_barcodes(NAMES, NAMES[:9], path="cells.txt")
    assert found.tolist() == list(range(9))
    (record,) = caplog.records
    assert record.getMessage() == "cells.txt: 3 of 12 barcodes are not in the matrix"


def test_a_list_of_another_channel_is_refused() -> None:
    other = small_shard(12, seed=1).barcodes
    listed = np.append(other, NAMES[:2])
    with pytest.raises(
        ValueError, match=r"^cells.txt: only 2 of 14 .*another channel\?$"
    ) as caught:
        match_barcodes(listed, NAMES, path="cells.txt")
    assert other[0] in str(caught.value)
    assert NAMES[0] in str(caught.value)


@pytest.mark.parametrize(
    ("listed", "present", "where"),
    [
        (["S1_AAACCCAAGT", "S2_AAACCCAAGT"], ["AAACCCAAGT-1", "CCCCCCAAGT-1"], "the list"),
        (["S1_AAACCCAAGT"], ["AAACCCAAGT-1", "AAACCCAAGT-2"], "the matrix"),
    ],
)
def test_affixes_that_tell_cells_apart_are_not_dropped(
    listed: list[str], present: list[str], where: str
) -> None:
    with pytest.raises(ValueError, match=f"^x: AAACCCAAGT occurs in {where} with several"):
        match_barcodes(np.array(listed), np.array(present), path="x")
