"""Compare every result of two runs: `python -m benchmarks.same_results OLD NEW`.

For changes of the code that must change no number. Tables, arrays and figures must have the same
bytes; of `.h5ad` files the content is compared, since HDF5 writes times. Renamed columns, values
and files are told by `--renamed FILE`, a YAML of old to new names: `files`, and `columns` and
`values` by file. Ends with status 1 where anything differs. The report is not compared, since its
words may change. `added` names columns by file that the old table lacks, `new_files` files that the
old run lacks.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import yaml

LEFT_OUT = ("logs", "benchmarks")  # times
WORDS = ("report.html", "config.yaml")
FIGURES = (".png", ".pdf")


def results(folder: Path) -> dict[str, Path]:
    """Files of a results folder by their path in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    found = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: path
        for name, path in found.items()
        if name.partition("/")[0] not in LEFT_OUT and name not in WORDS
    }


def hdf5_content(path: Path) -> dict[str, Any]:
    """Every dataset of an HDF5 file by name."""
    content: dict[str, Any] = {}

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            content[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(note)
    return content


def equal(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two arrays are equal; missing numbers equal each other."""
    floats = np.issubdtype(np.asarray(first).dtype, np.floating)
    return np.array_equal(first, second, equal_nan=floats)


def renamed_table(
    path: Path, columns: Mapping[str, str], values: Mapping[str, Any], added: Sequence[str] = ()
) -> bytes:
    """A table with its new names and without new columns, as bytes."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table = table.drop(columns=list(added))
    for column, mapping in values.items():
        table[column] = table[column].replace(mapping)
    return table.rename(columns=columns).to_csv(sep="\t", index=False, lineterminator="\n").encode()


def same(
    old: Path,
    new: Path,
    *,
    columns: Mapping[str, str],
    values: Mapping[str, Any],
    added: Sequence[str],
) -> bool:
    """Whether a file is as before, but for new names."""
    if old.suffix == ".h5ad":
        first, second = hdf5_content(old), hdf5_content(new)
        if set(first) != set(second):
            return False
        return all(equal(first[name], second[name]) for name in first)
    if (columns or values or added) and ".tsv" in old.name:
        return renamed_table(old, columns, values) == renamed_table(new, {}, {}, added)
    return old.read_bytes() == new.read_bytes()


def differences(old: Path, new: Path, renamed: Mapping[str, Any]) -> Iterator[str]:
    """One line per file that is missing, new, or not the same."""
    files = renamed.get("files") or {}
    before = {files.get(name, name): path for name, path in results(old).items()}
    after = results(new)
    yield from (f"missing  {name}" for name in before.keys() - after.keys())
    made = set(renamed.get("new_files") or [])
    yield from (f"new      {name}" for name in after.keys() - before.keys() - made)
    for name in sorted(before.keys() & after.keys()):
        changes = {
            kind: (renamed.get(kind) or {}).get(name, {}) for kind in ("columns", "values", "added")
        }
        if not same(before[name], after[name], **changes):
            yield f"differs  {name}"


def main() -> int:
    """Print what differs; 0 where nothing does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--renamed", type=Path, help="YAML of old to new names")
    given = parser.parse_args()
    renamed = yaml.safe_load(given.renamed.read_text()) if given.renamed else {}
    lines = list(differences(given.old, given.new, renamed or {}))
    print(*lines, sep="\n")
    figures = sum(Path(name).suffix in FIGURES for name in results(given.new))
    n_files = len(results(given.new))
    print(f"{n_files} files ({figures} of figures) compared, {len(lines)} differ")
    return int(bool(lines))


if __name__ == "__main__":
    raise SystemExit(main())
