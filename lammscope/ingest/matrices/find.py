"""Find the count matrices below a folder."""

import re
from collections.abc import Iterator
from pathlib import Path

from lammscope.core.files import named_errors, open_hdf5
from lammscope.ingest.matrices.dense import has_dense_counts
from lammscope.ingest.matrices.h5ad import is_annotated
from lammscope.ingest.matrices.mtx import matrices_in
from lammscope.ingest.matrices.tenx import is_tenx

DENSE = re.compile(r"\.(csv|tsv|txt)(\.gz)?$")


def find_matrices(folder: str | Path) -> list[Path]:
    """Find the count matrices below a folder, one per library.

    Parameters
    ----------
    folder
        Any folder: outputs of a pipeline, or downloads. Hidden folders are left out.

    Returns
    -------
    list of Path
        Sorted; each can be given to `read_matrix`. Of a library in several forms the filtered one
        is taken, and an `.h5` rather than a folder. A damaged file is in the list, so that its
        inspection tells.

    Raises
    ------
    ValueError
        If there is no such folder or if it cannot be read.
    """
    folder = Path(folder)
    with named_errors(folder):
        found = candidates(folder)
        together = {path.parent for path in found if of_one_genome(path)}
        return sorted({path.parent if path.parent in together else path for path in found})


def candidates(folder: Path) -> list[Path]:
    """Matrices below a folder, of each library only the best form."""
    forms: dict[str, list[tuple[int, bool, Path]]] = {}
    for path in _all_matrices(folder, seen=set()):
        name = str(path.relative_to(folder))
        words = re.split(r"[^A-Za-z0-9]+", name)
        rank = 0 if "filtered" in words else 2 if "raw" in words else 1
        library = re.sub(r"(?<![a-z])(filtered|raw)(?![a-z])", "", name)
        library = re.sub(
            r"(gene|feature)_bc_matri(x|ces)(_mex|_h5)?|matrix|\.(h5|h5ad|mtx|gz)\b", "", library
        )
        form = (rank, path.suffix != ".h5", path)
        forms.setdefault(re.sub(r"[._/-]+", "/", library).strip("/"), []).append(form)
    best = [
        path for group in forms.values() for *rank, path in group if rank == list(min(group)[:2])
    ]
    return sorted(best)


def of_one_genome(path: Path) -> bool:
    """Whether this is a folder of Cell Ranger 2, which wrote one per genome."""
    return bool(re.search(r"(filtered|raw)_gene_bc_matrices(_mex)?$", path.parent.name))


def _all_matrices(folder: Path, *, seen: set[Path]) -> Iterator[Path]:
    """All matrices below a folder; one that is alone in its folder is named by the folder."""
    if folder.resolve() in seen:  # links may lead in a circle
        return
    seen.add(folder.resolve())
    matrices = matrices_in(folder)
    yield from [folder] if len(matrices) == 1 else matrices
    lists = {path.name for path in matrices}
    entries = sorted(folder.iterdir())
    per_sample = folder / "per_sample_outs" in entries
    for path in entries:
        if path.is_dir():
            # junctions and velocities are no genes; `multi` is the channel of its samples
            other = path.name in ("SJ", "Velocyto") or (per_sample and path.name == "multi")
            if not path.name.startswith(".") and not other:
                yield from _all_matrices(path, seen=seen)
        elif path.name not in lists and _seems_a_matrix(path):
            yield path


def _seems_a_matrix(path: Path) -> bool:
    """Whether a file is a matrix in HDF5, be it a damaged one, or starts as a table of counts."""
    try:
        if path.suffix in (".h5", ".h5ad"):
            with open_hdf5(path) as file:
                return is_tenx(file) or is_annotated(file)
        with named_errors(path):
            return bool(DENSE.search(path.name)) and has_dense_counts(path)
    except OSError:
        return True
    except ValueError:
        return False
