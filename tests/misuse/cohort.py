"""Break a small cohort: each function changes one thing in a folder."""

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import yaml

from lammscope.cohort.sample_table import sample_table_text

Spoil = Callable[[Path], object]
ARMS = {"kind": "between", "test": "non_responder", "reference": "responder"}
BASELINE = {**ARMS, "where": {"phase": "pre"}}
PAIRED = {"kind": "paired", "test": "post", "reference": "pre"}
MATRIX = "counts/P01_baseline.h5"


def replace(name: str, old: str, new: str) -> Spoil:
    """Replace a text once in a file."""

    def spoil(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text, (name, old)
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def write(name: str, content: str | bytes) -> Spoil:
    """Replace a file by other content."""

    def spoil(folder: Path) -> None:
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)

    return spoil


def results_of(*names: str, **files: str) -> Spoil:
    """Make `old` the folder of results, with the sample table of another run."""

    def spoil(folder: Path) -> None:
        samples = pd.DataFrame({"sample": names, "counts": [f"{name}.h5" for name in names]})
        for path, text in {"design/samples.tsv": sample_table_text(samples), **files}.items():
            (folder / "old" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "old" / path).write_text(text)
        config(pathvars={"results": "old"})(folder)

    return spoil


def append(name: str, text: str) -> Spoil:
    """Add lines to a file."""

    def spoil(folder: Path) -> None:
        with (folder / name).open("a", encoding="utf-8") as handle:
            handle.write(text)

    return spoil


def first_rows(name: str, n: int = 1) -> Spoil:
    """Keep the first rows of a sheet."""

    def spoil(folder: Path) -> None:
        lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / name).write_text("".join(lines[: n + 1]), encoding="utf-8")

    return spoil


def recode(name: str, encoding: str) -> Spoil:
    """Save a text in another encoding."""

    def spoil(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_text(encoding="utf-8").encode(encoding))

    return spoil


def remove(name: str) -> Spoil:
    """Remove a file."""
    return lambda folder: (folder / name).unlink()


def workbook(name: str, change: Callable[[Any], object] = lambda sheet: None) -> Spoil:
    """Save a sheet as an Excel workbook under the same name, with a change of its worksheet."""

    def spoil(folder: Path) -> None:
        from openpyxl import Workbook

        book = Workbook()
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        for row in csv.reader(lines, delimiter="\t"):
            book.active.append(row)
        change(book.active)
        with (folder / name).open("wb") as file:
            book.save(file)

    return spoil


def set_cell(place: str, value: object) -> Callable[[Any], None]:
    """Return a change of one cell of a worksheet."""
    return lambda sheet: sheet.__setitem__(place, value)


def make_folder(name: str) -> Spoil:
    """Replace a file by an empty folder."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


def config(**changes: Any) -> Spoil:
    """Set top-level keys of the config."""

    def spoil(folder: Path) -> None:
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))

    return spoil


def signature(*sets: str) -> Spoil:
    """Name a signature, of sets that are each a name and genes separated by spaces."""
    lines = ["\t".join([each.split()[0], "", *each.split()[1:]]) for each in sets]
    text = "".join(f"{line}\n" for line in lines)
    return both(write("mine.gmt", text), config(lamm={"state_genes": "mine.gmt"}))


def contrast(**entry: Any) -> Spoil:
    """Configure one contrast, `question`."""
    return config(contrasts={"question": entry}, primary={"contrast": "question"})


def column(sheet: str, name: str, value: Callable[[dict[str, str]], object]) -> Spoil:
    """Add a column to a sheet, or change it, with a value from each row."""

    def spoil(folder: Path) -> None:
        path = folder / f"{sheet}.tsv"
        rows = list(csv.DictReader(io.StringIO(path.read_text()), delimiter="\t"))
        lines = [[*rows[0], *([] if name in rows[0] else [name])]]
        lines += [[str(v) for v in {**row, name: value(row)}.values()] for row in rows]
        path.write_text("\n".join("\t".join(line) for line in lines) + "\n")

    return spoil


def both(*spoils: Spoil) -> Spoil:
    """Combine several changes."""

    def spoil(folder: Path) -> None:
        for each in spoils:
            each(folder)

    return spoil


def matrix(change: Callable[[h5py.Group], object], path: str = MATRIX) -> Spoil:
    """Edit the content of a 10x h5 file."""

    def spoil(folder: Path) -> None:
        with h5py.File(folder / path, "r+") as file:
            change(file["matrix"])

    return spoil


def dataset(group: h5py.Group, name: str, values: np.ndarray) -> None:
    """Replace the values of a dataset."""
    text = values.dtype.kind in "OUS"
    kind = h5py.string_dtype() if text else values.dtype
    del group[name]
    group.create_dataset(name, data=values.astype(object) if text else values, dtype=kind)


def instead(make: Callable[[Path], object], suffix: str) -> Spoil:
    """Replace `counts` of the first sample by a file that `make` writes."""

    def spoil(folder: Path) -> None:
        name = f"counts/other{suffix}"
        make(folder / name)
        replace("samples.tsv", MATRIX, name)(folder)

    return spoil


def cut(path: str, share: float = 0.5) -> Spoil:
    """Truncate a file, as after an interrupted download."""

    def spoil(folder: Path) -> None:
        content = (folder / path).read_bytes()
        (folder / path).write_bytes(content[: int(len(content) * share)])

    return spoil


def copy(path: str, to: str) -> Spoil:
    """Copy a file."""
    return lambda folder: shutil.copy(folder / path, folder / to)


def link(path: str, to: str, make: Callable[[Path, Path], None] = Path.symlink_to) -> Spoil:
    """Replace a file by a link to another one."""

    def spoil(folder: Path) -> None:
        (folder / path).unlink(missing_ok=True)
        make(folder / path, folder / to)

    return spoil


def is_early(row: dict[str, str]) -> bool:
    """Test whether a sample is from before infusion."""
    return row["timepoint"] == "baseline"


def is_responder(row: dict[str, str]) -> bool:
    """Test whether a patient is a responder."""
    return row["response"] in ("CR", "PR")
