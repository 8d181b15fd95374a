"""Find the count matrices in a folder and its subfolders."""

import re
from collections.abc import Iterator
from pathlib import Path

from lammscope.core.files import named_errors
from lammscope.ingest.matrices.formats import is_one_matrix, matrices_in, seems_a_matrix

# File names of pipelines: words that distinguish the forms of one library, ...
KINDS = re.compile(r"(?<![a-z])(filtered|raw)(?![a-z])")
FORMS = re.compile(r"(gene|feature)_bc_matri(x|ces)(_mex|_h5)?|matrix|\.(h5|h5ad|mtx|gz)\b")
RANKS = {"filtered": 0, "raw": 2}  # the lowest is taken; 1 if neither word occurs
# ... folders of Cell Ranger 2, with one folder per genome, ...
GENOMES = re.compile(r"(filtered|raw)_gene_bc_matrices(_mex)?$")
# ... and folders of STARsolo with counts of splice junctions and of RNA velocity, not of genes
NOT_GENES = ("SJ", "Velocyto")


def find_matrices(folder: str | Path) -> list[Path]:
    """Find the count matrices in a folder and its subfolders, one per library.

    Parameters
    ----------
    folder
        Any folder, such as pipeline outputs or downloads. Hidden subfolders are skipped.

    Returns
    -------
    list of Path
        Sorted paths for `read_matrix`. If a library has several forms, the filtered one is taken,
        and an `.h5` rather than a folder. Damaged files are included, so that their inspection
        reports them.

    Raises
    ------
    ValueError
        If the folder does not exist or cannot be read.
    """
    folder = Path(folder)
    with named_errors(folder):
        found = candidates(folder)
        together = {path.parent for path in found if of_one_genome(path)}
        return sorted({path.parent if path.parent in together else path for path in found})


def candidates(folder: Path) -> list[Path]:
    """List the matrices in a folder and its subfolders, only the best form of each library."""
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
    """Test whether this is a folder of Cell Ranger 2, which wrote one per genome."""
    return bool(GENOMES.search(path.parent.name))


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
