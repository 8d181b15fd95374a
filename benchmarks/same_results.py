"""Compare every result of two runs: `python -m benchmarks.same_results OLD NEW`.

For changes of the code that must not change a number. Tables, arrays and figures must be equal byte
for byte. Of `.h5ad` files and packed tables the content is compared: HDF5 stores times, and tables
may be packed at another level. The report is not compared, since its words may change. The exit
status is 1 if anything differs.

`--renamed FILE` names a YAML file of intended changes:

    files         old name: new name
    columns       file: {old name: new name}
    values        file: {column: {old value: new value}}
    texts         files: {column: {regular expression: replacement}}
    added         file: [columns that the old table lacks]
    new_files     [files that the old run lacks]

`texts` takes patterns such as `abundance/*.tsv` for files, and skips columns that a table lacks. An
expression must match the whole old value, and the first one that does is used.
"""

import argparse
import fnmatch
import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - h5py reads count files compressed by LZ4 with it
import numpy as np
import pandas as pd
import yaml

LEFT_OUT = ("logs", "benchmarks", "records", "provenance.json")  # times
WORDS = ("report.html", "config.yaml")
FIGURES = (".png", ".pdf")
NOTHING: Mapping[str, Any] = {}


def results(folder: Path) -> dict[str, Path]:
    """Return the files of a results folder by their path in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    found = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: path
        for name, path in found.items()
        if name.partition("/")[0] not in LEFT_OUT and name not in WORDS
    }


def hdf5_content(path: Path) -> dict[str, Any]:
    """Read every dataset of an HDF5 file by name."""
    content: dict[str, Any] = {}

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            content[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(note)
    return content


def equal(first: np.ndarray, second: np.ndarray) -> bool:
    """Compare two arrays; missing numbers are equal."""
    floats = np.issubdtype(np.asarray(first).dtype, np.floating)
    return np.array_equal(first, second, equal_nan=floats)


def renamed_table(
    path: Path,
    *,
    columns: Mapping[str, str] = NOTHING,
    values: Mapping[str, Any] = NOTHING,
    texts: Mapping[str, Mapping[str, str]] = NOTHING,
    added: Sequence[str] = (),
) -> bytes:
    """Return a table with its new names and texts and without its new columns, as bytes."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table = table.drop(columns=list(added))
    for column, mapping in values.items():
        table[column] = table[column].replace(mapping)
    for column in table.columns.intersection(list(texts)):
        table[column] = [reworded(text, texts[column]) for text in table[column]]
    return table.rename(columns=columns).to_csv(sep="\t", index=False, lineterminator="\n").encode()


def reworded(text: str, patterns: Mapping[str, str]) -> str:
    """Rewrite a text by the first regular expression that matches the whole of it."""
    for pattern, replacement in patterns.items():
        if found := re.fullmatch(pattern, text):
            return found.expand(replacement)
    return text


def texts_of(name: str, texts: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Collect the rewordings of a file by column, from all patterns that match its name."""
    found: dict[str, dict[str, str]] = {}
    for pattern, columns in texts.items():
        if fnmatch.fnmatchcase(name, pattern):
            for column, mapping in columns.items():
                found.setdefault(column, {}).update(mapping)
    return found


def same(
    old: Path,
    new: Path,
    *,
    columns: Mapping[str, str],
    values: Mapping[str, Any],
    texts: Mapping[str, Mapping[str, str]],
    added: Sequence[str],
) -> bool:
    """Compare two files, up to new names and texts."""
    if old.suffix == ".h5ad":
        first, second = hdf5_content(old), hdf5_content(new)
        if set(first) != set(second):
            return False
        return all(equal(first[name], second[name]) for name in first)
    if (columns or values or texts or added) and ".tsv" in old.name:
        before = renamed_table(old, columns=columns, values=values, texts=texts)
        return before == renamed_table(new, added=added)
    if old.suffix == ".gz":
        return gzip.decompress(old.read_bytes()) == gzip.decompress(new.read_bytes())
    return old.read_bytes() == new.read_bytes()


def differences(old: Path, new: Path, renamed: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line per file that is missing, new, or different."""
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
        changes["texts"] = texts_of(name, renamed.get("texts") or {})
        if not same(before[name], after[name], **changes):
            yield f"differs  {name}"


def main() -> int:
    """Print the differences and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--renamed", type=Path, help="YAML of intended changes")
    given = parser.parse_args()
    renamed = yaml.safe_load(given.renamed.read_text()) if given.renamed else {}
    lines = list(differences(given.old, given.new, renamed or {}))
    print(*lines, sep="\n")
    figures = sum(Path(name).suffix in FIGURES for name in results(given.new))
    n_files = len(results(given.new))
    print(f"{n_files} files ({figures} of them figures) compared, {len(lines)} differ")
    return int(bool(lines))


if __name__ == "__main__":
    raise SystemExit(main())
