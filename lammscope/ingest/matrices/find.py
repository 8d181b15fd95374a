"""Find the count matrices below a folder."""

import re
from collections.abc import Iterator
from pathlib import Path

from lammscope.core.files import named_errors
from lammscope.ingest.matrices.formats import matrices_in, seems_a_matrix

# How pipelines name their files: what tells the forms of one library apart, ...
KINDS = re.compile(r"(?<![a-z])(filtered|raw)(?![a-z])")
FORMS = re.compile(r"(gene|feature)_bc_matri(x|ces)(_mex|_h5)?|matrix|\.(h5|h5ad|mtx|gz)\b")
RANKS = {"filtered": 0, "raw": 2}  # the lowest is taken; 1 is neither word
# ... folders of Cell Ranger 2, which hold one folder per genome, ...
GENOMES = re.compile(r"(filtered|raw)_gene_bc_matrices(_mex)?$")
# ... and folders of STARsolo with counts of splice junctions and of RNA velocity, not of genes
NOT_GENES = ("SJ", "Velocyto")


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
        rank = next((rank for word, rank in RANKS.items() if word in words), 1)
        library = FORMS.sub("", KINDS.sub("", name))
        form = (rank, path.suffix != ".h5", path)
        forms.setdefault(re.sub(r"[._/-]+", "/", library).strip("/"), []).append(form)
    best = [
        path for group in forms.values() for *rank, path in group if rank == list(min(group)[:2])
    ]
    return sorted(best)


def of_one_genome(path: Path) -> bool:
    """Whether this is a folder of Cell Ranger 2, which wrote one per genome."""
    return bool(GENOMES.search(path.parent.name))


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
            # `multi` of Cell Ranger is the channel of the samples beside it
            other = path.name in NOT_GENES or (per_sample and path.name == "multi")
            if not path.name.startswith(".") and not other:
                yield from _all_matrices(path, seen=seen)
        elif path.name not in lists and seems_a_matrix(path):
            yield path
