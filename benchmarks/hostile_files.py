"""Hostile files, made by code: each function writes one into a folder and returns its path.

`OUTSIDE` in the folder above holds a text that no reader may show, and `CANARY` there appears if
the code in a file has run.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

OUTSIDE, CANARY = "outside.txt", "canary"
SECRET = "SECRETTEXT"
GENES = ["CD14", "CD68", "CD3E", "ACTB", "B2M", "MT-CO1", "CSF1R", "LYZ", "VIM", "CD74"]
GB = 10**9
Make = Callable[[Path], Path]


def _gz(path: Path, start: bytes, part: bytes, n_bytes: int, pack: Any = gzip) -> Path:
    """Compress a start and a part that repeats, which is compressed once and copied."""
    with path.open("wb") as handle:
        handle.write(pack.compress(start))
        if n_bytes:
            block = part * (2**24 // len(part))
            member = pack.compress(block)
            handle.writelines([member] * (n_bytes // len(block)))
    return path


# --- pickles


class _Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _model(make: Callable[[Path], bytes]) -> Make:
    def write(folder: Path) -> Path:
        path = folder / "model.pkl"
        path.write_bytes(make(folder.parent / CANARY))
        return path

    return write


def _global(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def _text_of(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _forged_dtype(canary: Path) -> bytes:
    """Make an array of objects out of bytes, which numpy would take for addresses."""
    dtype = _global("numpy", "dtype") + b"(" + _text_of("O8") + b"I0\nI1\ntR"
    dtype += b"(I3\n" + _text_of("|") + b"NNNI-1\nI-1\nI0\ntb"
    array = _global("numpy.core.multiarray", "_reconstruct") + b"("
    array += _global("numpy", "ndarray") + b"(I0\nt" + _text_of("b") + b"tR"
    state = b"(I1\n(I1\nt" + dtype + b"I00\n" + _text_of("AAAAAAAA") + b"tb"
    return b"\x80\x02}" + _text_of("Model") + array + state + b"s."


MODELS: dict[str, Callable[[Path], bytes]] = {
    "a model that runs a command": lambda canary: pickle.dumps(
        {"Model": _Calls(os.system, f"touch {canary}")}
    ),
    "a model that evaluates Python": lambda canary: pickle.dumps(
        {"Model": _Calls(eval, f"open({str(canary)!r}, 'w')")}
    ),
    "a model that imports by attributes": lambda canary: (
        b"\x80\x04"
        + _text_of("numpy")
        + _text_of("lib.format.os.system")
        + b"\x93"
        + _text_of(f"touch {canary}")
        + b"\x85R."
    ),
    "a model of a scikit-learn function": lambda canary: pickle.dumps(
        {"Model": _Calls(__import__("joblib").load, str(canary))}
    ),
    "a model with a vast array": lambda canary: (
        b"\x80\x02" + _global("numpy", "ndarray") + b"(I1000000000000\ntR."
    ),
    "a model with a forged dtype": _forged_dtype,
    "a model with a vast memo": lambda canary: b"\x80\x02]r\xff\xff\xff\x7f.",
    "a model with a vast text": lambda canary: b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"x.",
    "a model that changes a class": lambda canary: (
        b"\x80\x02"
        + _global("sklearn.linear_model._logistic", "LogisticRegression")
        + b"N}X\x08\x00\x00\x00__init__"
        + _global("_codecs", "encode")
        + b"s\x86b."
    ),
}


# --- HDF5


def _tenx(spoil: Callable[[h5py.File, Path], object], suffix: str = "h5") -> Make:
    """Write a small 10x file, and spoil it."""

    def write(folder: Path) -> Path:
        path = folder / f"counts.{suffix}"
        with h5py.File(path, "w") as file:
            n = len(GENES)
            matrix = file.create_group("matrix")
            matrix["shape"] = np.array([n, n])
            matrix["data"] = np.arange(1, n + 1)
            matrix["indices"], matrix["indptr"] = np.arange(n), np.arange(n + 1)
            matrix["barcodes"] = np.array([f"{'ACGT' * 3}{i:04d}-1" for i in range(n)], dtype="S")
            matrix["features/id"] = matrix["features/name"] = np.array(GENES, dtype="S")
            matrix["features/feature_type"] = np.array(["Gene Expression"] * n, dtype="S")
            matrix["features/genome"] = np.array(["GRCh38"] * n, dtype="S")
            spoil(file, folder)
        return path

    return write


def _h5ad(spoil: Callable[[h5py.File, Path], object]) -> Make:
    """Write the frame of an .h5ad file, and spoil it."""

    def write(folder: Path) -> Path:
        path = folder / "counts.h5ad"
        with h5py.File(path, "w") as file:
            for table, names in (("obs", [f"cell{i}" for i in range(10)]), ("var", GENES)):
                file.create_group(table).attrs["_index"] = "_index"
                file[table]["_index"] = names
            file["X"] = np.eye(10)
            spoil(file, folder)
        return path

    return write


def _again(file: h5py.File, name: str) -> None:
    if name in file:
        del file[name]


def _linked(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder.parent / "outside.h5", "w") as other:
        other["x"] = np.array([SECRET] * len(GENES), dtype="S")
    _again(file, "matrix/features/name")
    file["matrix/features/name"] = h5py.ExternalLink("../outside.h5", "/x")


def _soft_then_external(file: h5py.File, folder: Path) -> None:
    _linked(file, folder)
    file["elsewhere"] = h5py.ExternalLink("../outside.h5", "/")
    _again(file, "matrix/features/id")
    file["matrix/features/id"] = h5py.SoftLink("/elsewhere/x")


def _external_storage(file: h5py.File, folder: Path) -> None:
    _again(file, "matrix/features/name")
    place = [(str(folder.parent / OUTSIDE), 0, 100)]
    file.create_dataset("matrix/features/name", (10,), dtype="S10", external=place)


def _virtual(file: h5py.File, folder: Path) -> None:
    _linked(file, folder)
    _again(file, "matrix/features/name")
    layout = h5py.VirtualLayout((len(GENES),), "S10")
    layout[:] = h5py.VirtualSource("../outside.h5", "x", (len(GENES),), "S10")
    file.create_virtual_dataset("matrix/features/name", layout)


def _never_written(file: h5py.File, folder: Path) -> None:
    _again(file, "matrix/data")
    file.create_dataset("matrix/data", (10**12,), "i4", chunks=(10**6,), compression="gzip")


def _compressed(file: h5py.File, folder: Path) -> None:
    """Write one compressed chunk of zeros 300 times: 3 MB that stand for 3 GB."""
    _again(file, "matrix/data")
    n = 2_500_000
    made = file.create_dataset("matrix/data", (300 * n,), "i4", chunks=(n,), compression="gzip")
    chunk = zlib.compress(bytes(4 * n), 9)
    for i in range(300):
        made.id.write_direct_chunk((i * n,), chunk)


def _one_chunk(file: h5py.File, folder: Path) -> None:
    _again(file, "matrix/barcodes")
    made = {"chunks": (2**31 - 1,), "maxshape": (None,), "compression": "gzip"}
    file.create_dataset("matrix/barcodes", (10,), "u1", **made)


def _circle(file: h5py.File, folder: Path) -> None:
    for name in "abc":
        file[f"matrix/{name}"] = file["/"]


def _many_cells(file: h5py.File, folder: Path) -> None:
    del file["X"]
    group = file.create_group("X")
    group.attrs["encoding-type"], group.attrs["shape"] = "csc_matrix", (10**12, 10)
    group["data"], group["indices"], group["indptr"] = np.ones(10), np.arange(10), np.arange(11)


def _dense(file: h5py.File, folder: Path) -> None:
    del file["X"]
    file.create_dataset("X", (10**6, 10**6), "f4", chunks=(100, 100), compression="gzip")


def _layer(file: h5py.File, folder: Path) -> None:
    (folder.parent / "raw.bin").write_bytes(bytes(800))
    place = [(str(folder.parent / "raw.bin"), 0, 800)]
    file.create_dataset("layers/counts", (10, 10), "f8", external=place)


def _loom(folder: Path) -> Path:
    path = folder / "counts.loom"
    with h5py.File(path, "w") as file:
        file.create_dataset("matrix", (10**5, 10**7), "i4", chunks=(100, 100), compression="gzip")
        file["row_attrs/Gene"], file["col_attrs/CellID"] = GENES, ["a"]
    return path


# --- text


def _folder_of(*, bomb: str = "", start: bytes = b"", part: bytes = b"") -> Make:
    """Write a 10x folder in which one file is a bomb of 3 GB, or the given text."""

    def write(folder: Path) -> Path:
        entries = "".join(f"{i} {i} 1\n" for i in range(1, 11))
        head = f"%%MatrixMarket matrix coordinate integer general\n10 10 10\n{entries}"
        texts = {
            "matrix.mtx.gz": head,
            "barcodes.tsv.gz": "".join(f"{'ACGT' * 4}-{i}\n" for i in range(10)),
            "features.tsv.gz": "".join(f"{g}\t{g}\tGene Expression\n" for g in GENES),
        }
        for name, text in texts.items():
            if name == bomb:
                _gz(folder / name, start, part, 3 * GB if part else 0)
            else:
                (folder / name).write_bytes(gzip.compress(text.encode()))
        return folder

    return write


HEAD = b"%%MatrixMarket matrix coordinate integer general\n"


def _dense_zeros(folder: Path) -> Path:
    row = b"," + b",".join(f"cell{i}".encode() for i in range(5000)) + b"\n"
    return _gz(folder / "counts.csv.gz", row, b"CD14" + b",0" * 5000 + b"\n", 3 * GB)


def _text(name: str, *, start: bytes = b"", part: bytes = b"", n_bytes: int = 0) -> Make:
    def write(folder: Path) -> Path:
        if name.endswith(".gz"):
            return _gz(folder / name, start, part, n_bytes)
        path = folder / name
        with path.open("wb") as handle:
            handle.write(start)
            for _ in range(n_bytes // 2**20):
                handle.write(part * (2**20 // len(part)))
        return path

    return write


# --- R objects

R_HEAD = b"X\n" + struct.pack(">3i", 2, 0x40000, 0x20300)


def _int(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}i", *numbers)


def _char(text: bytes) -> bytes:
    return _int(0x40009, len(text)) + text


def _symbol(text: bytes) -> bytes:
    return _int(1) + _char(text)


def _rds(body: bytes) -> Make:
    """Write an S4 object, so that it is parsed, whose first slot is the body."""

    def write(folder: Path) -> Path:
        path = folder / "counts.rds"
        root = _int(25 | 1 << 8 | 1 << 9, 2 | 1 << 10) + _symbol(b"assays") + body + _int(254)
        path.write_bytes(gzip.compress(R_HEAD + root))
        return path

    return write


def _compact(n: float) -> bytes:
    """Return the compact form of 1:n, as R's ALTREP writes it."""
    parts = (_symbol(b"compact_intseq"), _symbol(b"base"), _int(13, 1, 13))
    info = b"".join(_int(2) + part for part in parts)
    return _int(238) + info + _int(254) + _int(14, 3) + struct.pack(">3d", n, 1, 1) + _int(254)


# --- zarr and zip


def _zarr(spoil: Callable[[Path], object]) -> Make:
    def write(folder: Path) -> Path:
        import zarr

        path = folder / "counts.zarr"
        root = zarr.open_group(path, mode="w", zarr_format=2)
        for table, names in (("obs", [f"cell{i}" for i in range(10)]), ("var", GENES)):
            group = root.create_group(table)
            group.attrs["_index"] = "_index"
            group.create_array("_index", data=np.array(names, dtype="U10"))
        root.create_array("X", data=np.eye(10), chunks=(10, 10), compressors=None)
        spoil(path)
        return path

    return write


def _edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _pickle_codec(path: Path) -> None:
    _edit(path / "X" / ".zarray", filters=[{"id": "pickle"}], dtype="|O", fill_value=None)
    harm = pickle.dumps(_Calls(os.system, f"touch {path.parent.parent / CANARY}"))
    for chunk in (path / "X").glob("[0-9]*"):
        chunk.write_bytes(harm)


def _zarr_zip(folder: Path) -> Path:
    path = folder / "counts.zarr.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(".zgroup", json.dumps({"zarr_format": 2}))
        with packed.open("X/0", "w", force_zip64=True) as part:
            for _ in range(3000):
                part.write(bytes(10**6))
    return path


# --- workbooks and sheets


def _book(edit: Callable[[bytes], bytes]) -> Make:
    """Write a workbook, and edit the XML of its worksheet."""

    def write(folder: Path) -> Path:
        import openpyxl

        book = openpyxl.Workbook()
        for row in (["sample", "patient", "timepoint", "counts"], ["a", "b", "c", "d"]):
            book.active.append(row)
        saved = io.BytesIO()
        book.save(saved)
        path = folder / "samples.xlsx"
        with (
            zipfile.ZipFile(saved) as old,
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            for name in old.namelist():
                content = old.read(name)
                new.writestr(name, edit(content) if name.endswith("sheet1.xml") else content)
        return path

    return write


def _before_end(text: bytes, *, after: bytes = b"") -> Callable[[bytes], bytes]:
    end = b"</sheetData>"
    return lambda xml: xml.replace(end, text + end + after)


ENTITY = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{OUTSIDE}">]>'.encode()


def _row(name: str) -> Make:
    """Write a sheet with a patient of this name."""

    def write(folder: Path) -> Path:
        path = folder / "samples.tsv"
        path.write_text(f"sample\tpatient\ttimepoint\tcounts\na\t{name}\tc\td\n", encoding="utf-8")
        return path

    return write


def _pipe(folder: Path) -> Path:
    path = folder / "samples.tsv"
    os.mkfifo(path)
    return path


# --- YAML

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
    for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
MERGES = "a: &a {x: 1, y: 2, z: 3}\n" + "".join(
    f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def _yaml(text: str) -> Make:
    def write(folder: Path) -> Path:
        path = folder / "file.yaml"
        path.write_text(text)
        return path

    return write


def _device(folder: Path) -> Path:
    path = folder / "file.yaml"
    path.symlink_to("/dev/zero")
    return path


# Door (see `hostile_inputs`) and file, by name.
FILES: dict[str, tuple[str, Make]] = {
    **{name: ("model", _model(make)) for name, make in MODELS.items()},
    "10x: a link to another file": ("matrix", _tenx(_linked)),
    "10x: a link within to a link out": ("matrix", _tenx(_soft_then_external)),
    "10x: names in a text file of the system": ("matrix", _tenx(_external_storage)),
    "10x: a virtual dataset": ("matrix", _tenx(_virtual)),
    "10x: 4 TB that were never written": ("matrix", _tenx(_never_written)),
    "10x: 3 MB that stand for 3 GB": ("matrix", _tenx(_compressed)),
    "10x: one chunk of 2 GB": ("matrix", _tenx(_one_chunk)),
    "10x: groups in a circle": ("matrix", _tenx(_circle)),
    "h5ad: 10^12 cells in a sparse matrix": ("matrix", _h5ad(_many_cells)),
    "h5ad: 4 TB in a dense matrix": ("matrix", _h5ad(_dense)),
    "h5ad: a layer in another file": ("matrix", _h5ad(_layer)),
    "loom: 4 TB": ("matrix", _loom),
    "mtx: 3 GB of comments": (
        "matrix",
        _folder_of(bomb="matrix.mtx.gz", start=HEAD, part=b"%" + b" " * 99 + b"\n"),
    ),
    "mtx: 3 GB of entries": (
        "matrix",
        _folder_of(bomb="matrix.mtx.gz", start=HEAD + b"10 10 400000000\n", part=b"1 1 1\n"),
    ),
    "mtx: 10^36 entries": (
        "matrix",
        _folder_of(bomb="matrix.mtx.gz", start=HEAD + b"9" * 18 + b" " + b"9" * 18 + b" 10\n1 1 1"),
    ),
    "mtx: a dense matrix of 10^18 values": (
        "matrix",
        _folder_of(
            bomb="matrix.mtx.gz",
            start=HEAD.replace(b"coordinate", b"array") + b"1000000000 1000000000\n1\n",
        ),
    ),
    "mtx: one line of 3 GB": ("matrix", _folder_of(bomb="matrix.mtx.gz", part=b"1")),
    "barcodes: 3 GB of line ends": ("matrix", _folder_of(bomb="barcodes.tsv.gz", part=b"\n")),
    "features: 3 GB of short lines": ("matrix", _folder_of(bomb="features.tsv.gz", part=b"ab\n")),
    "csv: 3 GB of zeros": ("matrix", _dense_zeros),
    "csv: one line of 600 MB, not compressed": (
        "matrix",
        _text("counts.csv", part=b"0,", n_bytes=600 * 10**6),
    ),
    "csv: 16 million columns": (
        "matrix",
        _text("counts.csv", start=b"a\n", part=b"," * 2**20, n_bytes=16 * 2**20),
    ),
    "a list of barcodes of 3 GB": (
        "barcodes",
        _text("barcodes.txt.gz", part=b"ACGTACGTACGTACGT-1\n", n_bytes=3 * GB),
    ),
    "gene sets of 3 GB": ("gene_sets", _text("a.gmt.gz", part=b"a\tb\tc\n", n_bytes=3 * GB)),
    "contigs of 3 GB": (
        "contigs",
        _text(
            "contigs.csv.gz",
            start=b"barcode,chain,v_gene,j_gene,cdr3,cdr3_nt,productive,umis\n",
            part=b"ACGT-1,TRA,a,b,CAF,TGT,true,1\n",
            n_bytes=3 * GB,
        ),
    ),
    "reference levels of 3 GB": (
        "references",
        _text("a.tsv.gz", start=b"population\tgene\n", part=b"a\tb\n", n_bytes=3 * GB),
    ),
    "rds: 3 GB of gzip": (
        "matrix",
        lambda folder: _gz(folder / "a.rds", R_HEAD + _int(25 | 768, 1026), b"\0", 3 * GB),
    ),
    "rds: 1 GB of xz": (
        "matrix",
        lambda folder: _gz(folder / "a.rds", R_HEAD + _int(25 | 768, 1026), b"\0", GB, lzma),
    ),
    "rds: 1 GB of bzip2": (
        "matrix",
        lambda folder: _gz(folder / "a.rds", R_HEAD + _int(25 | 768, 1026), b"\0", GB, bz2),
    ),
    "rds: the numbers 1 to 10^9 in 100 bytes": ("matrix", _rds(_compact(1e9))),
    "rds: a vector of 2 billion numbers, without them": ("matrix", _rds(_int(14, 2**31 - 1))),
    "rds: lists 100,000 levels deep": ("matrix", _rds(_int(19, 1) * 100_000)),
    "zarr: values that are a pickle": ("matrix", _zarr(_pickle_codec)),
    "zarr: 8 TB without a file": (
        "matrix",
        _zarr(lambda path: _edit(path / "X" / ".zarray", shape=[10**6, 10**6])),
    ),
    "zarr: a chunk of 8 TB": (
        "matrix",
        _zarr(lambda path: _edit(path / "X" / ".zarray", chunks=[10**6, 10**6])),
    ),
    "zarr: names outside the store": (
        "matrix",
        _zarr(lambda path: _edit(path / "obs" / ".zattrs", _index="../../../x.zarr/names")),
    ),
    "zarr: a zip file of 3 MB that unpacks to 3 GB": ("matrix", _zarr_zip),
    "xlsx: 50 MB of spaces": ("sheet", _book(lambda xml: _before_end(b" " * 50_000_000)(xml))),
    "xlsx: an entity of another file": (
        "sheet",
        _book(lambda xml: xml.replace(b"<worksheet", ENTITY + b"<worksheet", 1)),
    ),
    "xlsx: a merged area of 17 billion cells": (
        "sheet",
        _book(_before_end(b"", after=b'<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>')),
    ),
    "xlsx: a row far below": (
        "sheet",
        _book(_before_end(b'<row r="99999999999"><c r="A99999999999"><v>1</v></c></row>')),
    ),
    "sheet: a name from right to left": ("sheet", _row("P1\u202etxt")),
    "sheet: a name with a space of no width": ("sheet", _row("P1\u200b")),
    "sheet: a name of 5,000 letters": ("sheet", _row("P" * 5000)),
    "sheet: a name that is a formula": ("sheet", _row("=cmd|' /C calc'!A0")),
    "sheet: 600 MB": (
        "sheet",
        _text("samples.tsv", start=b"sample\tpatient\n", part=b"a\tb\n", n_bytes=600 * 10**6),
    ),
    "sheet: a pipe that never ends": ("sheet", _pipe),
    "counts: a pipe that never ends": ("matrix", _pipe),
    "config: a billion laughs": ("config", _yaml(LAUGHS)),
    "config: a billion merged keys": ("config", _yaml(MERGES)),
    "config: 100,000 levels": ("config", _yaml("a: " + "[" * 100_000)),
    "panel: a billion laughs": ("panel", _yaml(LAUGHS)),
    "panel: a device without end": ("panel", _device),
    "definition: a billion laughs": ("definition", _yaml(LAUGHS)),
}
