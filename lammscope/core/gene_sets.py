"""Gene sets in GMT files: name, source and genes, separated by tabs."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lammscope.core.files import named_errors, open_text
from lammscope.core.plain_text import first_problem

UP, DOWN = "_up", "_down"  # endings of the names of a pair of sets


@dataclass(frozen=True)
class GeneSet:
    """A named list of genes (symbols or Ensembl ids) without duplicates, and its source."""

    name: str
    source: str
    genes: tuple[str, ...]


def read_gene_sets(paths: Iterable[str | Path]) -> list[GeneSet]:
    """Read gene sets, in the order of the files and lines.

    Files may be compressed by gzip. Weights after a comma (`TNF,1.0`, as in files of Enrichr) are
    ignored.

    Raises
    ------
    ValueError
        One line per mistake: a file that cannot be read, a line without tabs, a set without a name
        or without genes, a name that is used twice.
    """
    sets: dict[str, GeneSet] = {}
    mistakes: list[str] = []
    for path in paths:
        try:
            found = list(_parsed(path))
        except ValueError as error:
            mistakes.append(str(error))
            continue
        for row, part in found:
            if isinstance(part, str):
                mistakes.append(f"{path}: row {row}: {part}")
            elif part.name in sets:
                mistakes.append(f"{path}: row {row}: set `{part.name}` appears twice; rename one")
            else:
                sets[part.name] = part
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return list(sets.values())


def read_signatures(paths: Iterable[str | Path]) -> dict[str, list[str]]:
    """Return the genes of each set of `read_gene_sets`, by name."""
    return {part.name: list(part.genes) for part in read_gene_sets(paths)}


def scored_names(names: Iterable[str]) -> list[str]:
    """Return the names of scores: sets `X_up`, `X_down` are one score `X`, in place of the first.

    A set without a partner keeps its name.
    """
    given = list(names)
    return list(dict.fromkeys(pair_name(name, given) for name in given))


def pair_name(name: str, names: Collection[str]) -> str:
    """Return the name of the score of a set: that of its pair, or its own."""
    for suffix, other in ((UP, DOWN), (DOWN, UP)):
        stem = name.removesuffix(suffix)
        if name.endswith(suffix) and f"{stem}{other}" in names:
            return stem
    return name


def _parsed(path: str | Path) -> Iterator[tuple[int, GeneSet | str]]:
    """Yield the row number and the gene set, or a message, of each line that is not blank."""
    with named_errors(path), open_text(Path(path)) as handle:
        lines = handle.read().splitlines()
    for row, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, *rest = [field.strip() for field in line.split("\t")]
        fields = [field.split(",")[0].strip() for field in rest[1:]]
        genes = tuple(dict.fromkeys(field for field in fields if field))
        if not rest:
            yield (
                row,
                (
                    f"`{_short(line)}` is not a line of a GMT file; write name, source and "
                    "symbols, separated by tabs"
                ),
            )
        elif not name:
            yield row, f"`{_short(line)}` has no name; put one before the first tab"
        elif problem := first_problem((name, rest[0], *genes)):
            yield row, f"set {problem}"
        elif not genes:
            yield row, f"set `{_short(name)}` has no genes; add symbols"
        else:
            yield row, GeneSet(name, rest[0], genes)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:40]}..."
