"""How damaged result files are noticed: random flipped bits and cuts, by format.

    python -m benchmarks.damage RESULTS

Copies files of a finished run one at a time, flips a random bit of the copy or cuts it at a random
place (texts also at the end of a line), and reads it as the next job would. The table tells how
many are noticed by the checksum in the record of the job that wrote the file, and what the reader
does: it refuses the file with its name and the remedy, refuses it otherwise, reads the same values
as before, or reads other values and says nothing. Plain texts have no checksum within: the main
process compares them with their records at the start of each run. Exits with 1 if a damage is not
noticed by the records, or is silent in a format that has a checksum.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lammscope.core.written import content_of
from lammscope.provenance.records import contents, read_all

N_FLIPS, N_CUTS = 60, 12
READ = ("named", "refused", "same", "silent")


@dataclass(frozen=True)
class Format:
    """Files of a format, how a job reads them, and whether they hold a checksum."""

    files: list[str]
    reader: str | None
    has_checksum: bool = False


def find_formats(results: Path) -> dict[str, Format]:
    """Return the files of each format that jobs wrote, relative to the folder."""
    known = sorted(contents(read_all(results)))

    def named(suffix: str, *without: str) -> list[str]:
        return [path for path in known if path.endswith(suffix) and path not in without]

    pseudobulk, cohort = "expression/pseudobulk.h5ad", "cohort.h5ad"
    return {
        "parquet": Format(named(".parquet"), "table", True),
        "npz": Format(named(".npz"), "arrays", True),
        "count file": Format(named(".h5ad", pseudobulk, cohort), "counts", True),
        "pseudobulk.h5ad": Format(named(pseudobulk), "pseudobulk", True),
        "cohort.h5ad": Format(named(cohort), "anndata"),
        "tsv.gz": Format(named(".tsv.gz"), "table", True),
        "tsv": Format(named(".tsv"), "table"),
        "json": Format(named(".json"), "json"),
        "yaml": Format(named(".yaml"), "yaml"),
        "png": Format(named(".png"), "points"),
        "pdf": Format(named(".pdf"), None),
        "html": Format(named(".html"), None),
    }


def readers(results: Path) -> dict[str, Callable[[Path], Any]]:
    """Return the functions that jobs read results with."""
    import anndata
    import yaml

    from lammscope.cohort.sample_table import read_sample_table
    from lammscope.core.damage import read_json
    from lammscope.core.indexed import CellIndex, read_table
    from lammscope.core.shards import read_record, read_shard
    from lammscope.expression.pseudobulk import read_pseudobulk
    from lammscope.report.point_names import read_points

    def table(path: Path) -> pd.DataFrame:
        # the tables of the sheets are quoted
        is_sheet = path.suffix == ".tsv" and path.read_bytes().startswith(b'"')
        return read_sample_table(path) if is_sheet else read_table(path)

    return {
        "table": table,
        "arrays": lambda path: CellIndex(results / "joint" / "cells.parquet").read_arrays(path),
        "counts": lambda path: (read_record(path), read_shard(path)),
        "pseudobulk": lambda path: parts_of(read_pseudobulk(path)),
        "anndata": lambda path: parts_of(anndata.read_h5ad(path)),
        "json": read_json,
        "yaml": lambda path: yaml.safe_load(path.read_text(encoding="utf-8")),
        "points": lambda path: (read_points(path), path.read_bytes()),
    }


def parts_of(data: Any) -> dict[str, Any]:
    """Return all values of an AnnData object."""
    whole = {name: dict(getattr(data, name)) for name in ("obsm", "layers", "uns")}
    raw = {} if data.raw is None else {"raw": data.raw.X, "raw var": data.raw.var}
    return {"X": data.X, "obs": data.obs, "var": data.var, **whole, **raw}


def is_same(one: Any, other: Any) -> bool:
    """Test whether two values that were read are the same."""
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        names = [field.name for field in fields(one)]
        return all(is_same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, pd.DataFrame):
        return one.dtypes.equals(other.dtypes) and one.equals(other)
    if hasattr(one, "indptr"):
        names = ["data", "indices", "indptr", "shape"]
        return all(is_same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, np.ndarray):
        if one.dtype == object:
            return is_same(one.tolist(), other.tolist())
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def read_damaged(results: Path, reader: str, whole: Path, damaged: Path) -> str:
    """Read a damaged copy as a job would, and return one of `READ`."""
    try:
        found = all_readers(results)[reader](damaged)
    except Exception as error:
        is_named = isinstance(error, ValueError) and str(error).startswith(str(damaged))
        return "named" if is_named and "run again" in str(error) else "refused"
    return "same" if is_same(found, values_of(results, reader, whole)) else "silent"


@cache
def all_readers(results: Path) -> dict[str, Callable[[Path], Any]]:
    """Return `readers`, made once per process."""
    return readers(results)


@cache
def values_of(results: Path, reader: str, whole: Path) -> Any:
    """Return the values of an undamaged file."""
    return all_readers(results)[reader](whole)


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the content with one random bit flipped."""
    changed = bytearray(content)
    changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut(content: bytes, rng: np.random.Generator, *, is_text: bool) -> bytes:
    """Return a random part from the start; of a text, half of the times whole lines."""
    ends = [at + 1 for at, byte in enumerate(content[:-1]) if byte == ord("\n")] if is_text else []
    if ends and rng.random() < 0.5:
        return content[: int(rng.choice(ends))]
    return content[: int(rng.integers(len(content)))]


def try_format(
    results: Path, form: Format, *, is_text: bool, kind: str, rng: np.random.Generator
) -> Counter[str]:
    """Damage random files of a format, and count how that is noticed."""
    known, counts = contents(read_all(results)), Counter[str]()
    pool = None
    with tempfile.TemporaryDirectory() as folder:
        for number in range(N_FLIPS if kind == "flip" else N_CUTS):
            name = form.files[rng.integers(len(form.files))]
            content = (results / name).read_bytes()
            changed = flip(content, rng) if kind == "flip" else cut(content, rng, is_text=is_text)
            damaged = Path(folder) / f"{number}-{Path(name).name}"
            damaged.write_bytes(changed)
            counts["n"] += 1
            counts["records"] += content_of(damaged) != known[name]
            if form.reader is not None:
                # damaged HDF5 files may end the process that reads them
                pool = pool or ProcessPoolExecutor(1, mp_context=get_context("spawn"))
                read = partial(read_damaged, results, form.reader, results / name)
                try:
                    counts[pool.submit(read, damaged).result()] += 1
                except BrokenProcessPool:
                    counts["refused"] += 1
                    pool = None
            damaged.unlink()
    if pool is not None:
        pool.shutdown()
    return counts


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark from the command line, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="*", help="some formats only")
    given = parser.parse_args(arguments)
    rng, is_bad = np.random.default_rng(given.seed), False
    print("format", "damage", "n", "by records", *READ, sep="\t")
    for name, form in find_formats(given.results).items():
        if not form.files or (given.formats and name not in given.formats):
            continue
        is_text = name in ("tsv", "json", "yaml", "html")
        for kind in ("flip", "cut"):
            counts = try_format(given.results, form, is_text=is_text, kind=kind, rng=rng)
            read = [counts[word] if form.reader else "-" for word in READ]
            print(name, kind, counts["n"], counts["records"], *read, sep="\t", flush=True)
            is_silent = form.has_checksum and counts["silent"] > 0
            is_bad |= is_silent or counts["records"] < counts["n"]
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
