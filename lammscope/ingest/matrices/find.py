"""Find the count matrices in a folder and its subfolders, one per library."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lammscope.core.files import named_errors
from lammscope.ingest.matrices.formats import (
    is_one_matrix,
    matrices_in,
    seems_a_matrix,
    without_suffixes,
)

# Pipelines write a library several times. These words of a path tell its forms apart, ...
KINDS = re.compile(r"(?<![a-z])((un)?filter(ed)?|raw)(?![a-z])", re.IGNORECASE)
CORRECTED = re.compile(
    # CellBender's manual names its files `..._out.h5` and `..._out_filtered.h5`
    r"(?<![a-z])(cellbender|soupx|decontx|out(put)?(?=(_filtered|_posterior)?\.h5$))(?![a-z])",
    re.IGNORECASE,
)
FORMS = re.compile(
    r"(gene|feature)_bc_matri(x|ces)(_mex|_h5)?|matrix"
    r"|cells_x_genes(\.(total|cell|nucleus))?|(?<![a-z])adata(?![a-z])"
    r"|[._]?Solo\.out$|_alevin_results$|\.count$",
    re.IGNORECASE,
)
# ... these parts of a path name steps of a pipeline, not a library, ...
STEPS = re.compile(
    r"outs|counts?|sample|mtx_conversions|gene(full.*)?|af_quant|alevin|quants(_mat)?",
    re.IGNORECASE,
)
CONVERTED = "mtx_conversions"  # nf-core/scrnaseq: other formats of the matrices of its aligner
# ... and of several forms, the one with the lowest rank is taken.
RANKS = {"filtered": 0, "filter": 0, "raw": 2, "unfiltered": 2}  # 1 if no such word occurs
PARTS_COUNTED = {"gene": 0, "total": 0, "cell": 1, "nucleus": 2}  # others: 1, such as GeneFull
FORMATS = {".h5": 0, ".mtx": 1, ".h5ad": 2, ".zarr": 2, ".loom": 3}  # folders: 1; others: 4
# Files that hold several libraries, such as `combined_filtered_matrix.h5ad` of nf-core/scrnaseq
POOLED = re.compile(
    r"(combined|merged|joined|pooled|concat(enated)?|integrated|aggr(egated?)?|all)"
    r"([._ -]?(samples|cells|libraries|data))?",
    re.IGNORECASE,
)
# Folders of Cell Ranger 2, with one folder per genome
GENOMES = re.compile(r"(filtered|raw)_gene_bc_matrices(_mex)?$")
# Folders of STARsolo with counts of splice junctions and of RNA velocity, not of genes
NOT_GENES = ("SJ", "Velocyto")
ENDS = "._- "  # what may remain at the ends of a name


@dataclass(frozen=True)
class Library:
    """The matrix of a library to read, and other forms of it that are left out."""

    path: Path
    others: tuple[Path, ...] = ()


def find_libraries(folder: str | Path) -> tuple[list[Library], list[Path]]:
    """Find the libraries in a folder and its subfolders, each once.

    Parameters
    ----------
    folder
        Any folder, such as pipeline outputs or downloads. Hidden subfolders are skipped.

    Returns
    -------
    libraries
        Sorted by path, each with the path for `read_matrix`. If a library has several forms, the
        filtered one is taken, counts of exons (`Gene`) rather than of whole genes (`GeneFull`), an
        `.h5` rather than a folder, and a folder rather than an `.h5ad`. Links to a file are forms
        of it. Damaged files are included, so that their inspection reports them.
    pooled
        Files that are named as the combination of several libraries, if there are others.

    Raises
    ------
    ValueError
        If the folder does not exist or cannot be read.
    """
    folder = Path(folder)
    with named_errors(folder):
        libraries = libraries_in(folder)
    pooled = [
        library for library in libraries if POOLED.fullmatch(_name_of(library.path, folder)[-1])
    ]
    if len(pooled) == len(libraries):
        return libraries, []
    left_out = sorted(path for library in pooled for path in (library.path, *library.others))
    return [library for library in libraries if library not in pooled], left_out


def libraries_in(folder: Path) -> list[Library]:
    """List the libraries in a folder and its subfolders, also files that combine several."""
    libraries = []
    for best, others in _forms_of(folder):
        left_out = sorted({_whole(path) for path in others})
        first, *more = sorted({_whole(path) for path in best})
        libraries += [Library(first, tuple(left_out)), *map(Library, more)]
    return sorted(libraries, key=lambda library: library.path)


def other_forms(folder: Path) -> list[Path]:
    """List what is left out if a folder of one library is read: its other forms."""
    return sorted(path for _, others in _forms_of(folder) for path in others)


def candidates(folder: Path) -> list[Path]:
    """List the matrices in a folder and its subfolders, only the best form of each library."""
    return sorted(path for best, _ in _forms_of(folder) for path in best)


def of_one_genome(path: Path) -> bool:
    """Test whether this is a folder of Cell Ranger 2, which wrote one per genome."""
    return bool(GENOMES.search(path.parent.name))


def _forms_of(folder: Path) -> list[tuple[list[Path], list[Path]]]:
    """Return the best forms of each library, which are several if equally good, and the others."""
    forms: dict[tuple[str, ...], list[Path]] = {}
    links: dict[tuple[str, ...], list[Path]] = {}
    names: dict[tuple[int, int], tuple[str, ...]] = {}
    found = _all_matrices(folder, seen=set())
    for path in sorted(found, key=lambda path: (path.is_symlink(), path)):
        name, file = _name_of(path, folder), _file_of(path)
        if file in names:
            links.setdefault(names[file], []).append(path)
        else:
            names[file] = name
            forms.setdefault(name, []).append(path)
    divided = []
    for name, paths in forms.items():
        ranks = [_rank(path, folder) for path in paths]
        best = [path for path, rank in zip(paths, ranks, strict=True) if rank == min(ranks)]
        others = [path for path in paths if path not in best] + links.get(name, [])
        divided.append((best, others))
    return divided


def _name_of(path: Path, folder: Path) -> tuple[str, ...]:
    """Return what a path says about its library, without the words for its form."""
    parts = list(path.relative_to(folder).parts) or [""]
    if len(parts) > 1 and of_one_genome(path):
        parts.pop()
    if CORRECTED.search(parts[-1]):
        parts[-1] = CORRECTED.sub("", parts[-1])
    parts[-1] = without_suffixes(parts[-1])
    names: list[str] = []
    for part in parts:
        name = FORMS.sub("", KINDS.sub("", CORRECTED.sub("", part)))
        name = re.sub(r"[._-]{2,}", "_", name).strip(ENDS)
        if name and not STEPS.fullmatch(name) and [name] != names[-1:]:
            names.append(name)
    return tuple(names) or ("",)


def _rank(path: Path, folder: Path) -> tuple[int, ...]:
    """Rank the form of a library; the lowest is taken."""
    relative = path.relative_to(folder)
    words = re.split(r"[^a-z0-9]+", str(relative).lower())
    kinds = [RANKS[word] for word in words if word in RANKS]
    full = [word.startswith("genefull") for word in words]
    nuclei = [PARTS_COUNTED[word] for word in words[-2:] if word in PARTS_COUNTED]
    suffix = Path(re.sub(r"\.gz$", "", path.name)).suffix
    return (
        int(bool(CORRECTED.search(str(relative)))),
        max([*full, *nuclei], default=0),
        kinds[-1] if kinds else 1,
        int(CONVERTED in relative.parts),
        FORMATS.get(suffix, 1 if path.is_dir() else 4),
    )


def _file_of(path: Path) -> tuple[int, int]:
    """Return device and number of the file that a matrix, or the matrix in a folder, is."""
    inside = matrices_in(path) if path.is_dir() else []
    found = (inside[0] if inside else path).stat()
    return found.st_dev, found.st_ino


def _whole(path: Path) -> Path:
    """Return the folder of all genomes for the folder of one genome, else the path itself."""
    return path.parent if of_one_genome(path) else path


def _all_matrices(folder: Path, *, seen: set[Path]) -> Iterator[Path]:
    """Yield all matrices in a folder and its subfolders; for a single one, its folder."""
    if folder.resolve() in seen:  # links may form a circle
        return
    seen.add(folder.resolve())
    matrices = matrices_in(folder)
    yield from [folder] if len(matrices) == 1 else matrices
    if is_one_matrix(folder):
        return
    lists = {path.name for path in matrices}
    entries = sorted(folder.iterdir())
    per_sample = folder / "per_sample_outs" in entries
    for path in entries:
        if path.is_dir():
            # Cell Ranger's `multi` is the channel of the samples in `per_sample_outs`
            other = path.name in NOT_GENES or (per_sample and path.name == "multi")
            if not path.name.startswith(".") and not other:
                yield from _all_matrices(path, seen=seen)
        elif path.name not in lists and seems_a_matrix(path):
            yield path
