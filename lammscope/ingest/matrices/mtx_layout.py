"""The files of a Matrix Market matrix: its lists of barcodes and genes, as pipelines name them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lammscope.ingest.matrices.mtx_parts import choose_parts, without_parts

MTX = re.compile(r"\.mtx(\.gz)?$")
OTHERS = re.compile(r"^UniqueAndMult.*")  # of STARsolo, in addition to the gene matrix


@dataclass(frozen=True)
class Layout:
    """The files of one matrix.

    `cells_first`: its rows are cells if the sizes do not decide; `is_csv`: its lists are tables
    with commas and a header line.
    """

    name: str
    matrix: Path
    barcodes: Path
    features: Path
    symbols: Path | None = None
    cells_first: bool = False
    is_csv: bool = False


def mtx_in(folder: Path) -> list[Path]:
    """List the count matrices among the `.mtx` files of a folder, sorted; plain before .gz.

    Files named like a 10x matrix are listed even if their lists are missing, so that this is
    reported.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        stem = MTX.sub("", path.name)
        if stem == path.name or OTHERS.match(stem) or not path.is_file():
            continue
        if stem.endswith("matrix") or not isinstance(find_layout(path), str):
            found.setdefault(stem, path)
    return without_parts(found.values())


def files_of(path: Path, *, layer: str | None) -> list[Path]:
    """List the Matrix Market files that are summed, and their lists of barcodes and genes."""
    files = []
    for matrix in choose_parts(path, layer=layer).paths:
        files.append(matrix)
        layout = find_layout(matrix)
        if not isinstance(layout, str):
            lists = (layout.barcodes, layout.features, layout.symbols)
            files += [path for path in lists if path is not None]
    return list(dict.fromkeys(files))


def find_layout(matrix: Path) -> Layout | str:
    """Find the files that belong to a matrix, or return a message on what is missing."""
    stem = MTX.sub("", matrix.name)
    folder = matrix.parent
    if stem.endswith("quants_mat"):
        lists = [_first(folder, [f"{stem}_{part}.txt"]) for part in ("rows", "cols")]
        if lists[0] and lists[1]:
            return Layout("alevin-fry folder", matrix, lists[0], lists[1], cells_first=True)
        return f"no {stem}_rows.txt or no {stem}_cols.txt next to {matrix.name}"
    if cells := _first(folder, ["cell_metadata.csv"]):
        genes = _first(folder, ["all_genes.csv", "genes.csv"])
        if genes:
            return Layout("Parse folder", matrix, cells, genes, cells_first=True, is_csv=True)
        return f"no all_genes.csv next to {matrix.name} and cell_metadata.csv"
    for base in (stem, stem.rpartition(".")[0]):  # kb writes `cells_x_genes.total.mtx`
        barcodes = _first(folder, [f"{base}.barcodes.txt"])
        genes = _first(folder, [f"{base}.genes.txt"])
        if barcodes and genes:
            symbols = _first(folder, [f"{base}.genes.names.txt"])
            return Layout("kallisto folder", matrix, barcodes, genes, symbols, cells_first=True)
    for start, end in _affixes(stem):
        barcodes = _first(folder, [f"{start}barcodes{end}.tsv"])
        features = _first(folder, [f"{start}{part}{end}.tsv" for part in ("features", "genes")])
        if barcodes and features:
            return Layout("10x folder", matrix, barcodes, features)
    start, end = next(_affixes(stem))
    wanted = f"{start}features{end}.tsv (or genes)" if barcodes else f"{start}barcodes{end}.tsv"
    return (
        f"no {wanted}, plain or .gz, next to {matrix.name}; put the files of a run into one folder"
    )


def _affixes(stem: str) -> Iterator[tuple[str, str]]:
    """Yield what may precede and follow `barcodes` and `features` in the names of the lists."""
    start, word, end = stem.rpartition("matrix")
    if word:
        yield start, end
    else:
        yield re.sub(r"[^_.-]*$", "", stem), ""
        yield "", ""


def _first(folder: Path, names: list[str]) -> Path | None:
    paths = (folder / f"{name}{suffix}" for name in names for suffix in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)
