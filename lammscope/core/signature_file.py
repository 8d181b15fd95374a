"""A signature of a cell state in a GMT file: an up set and, optionally, a down set."""

import re
from dataclasses import dataclass
from pathlib import Path

from lammscope.core.gene_sets import GeneSet, read_gene_sets
from lammscope.core.words import shortened

SIDE = re.compile(r"[_\-. ](UP|DN|DOWN)$", re.IGNORECASE)  # how MSigDB ends names of a pair
MIN_GENES = 5  # of a set, in a file and in a library, for a score; our choice


@dataclass(frozen=True)
class UpDown:
    """Genes that a state expresses more of, and genes that it expresses less of.

    Attributes
    ----------
    name
        Name of the up set without its ending.
    up
        Genes with higher expression in the state.
    down
        Genes with lower expression; None if the file has an up set alone.
    """

    name: str
    up: GeneSet
    down: GeneSet | None


def is_gene_set_file(path: str | Path) -> bool:
    """Test whether a file is named as a GMT file, which may be compressed by gzip."""
    return str(path).lower().endswith((".gmt", ".gmt.gz"))


def read_signature(path: str | Path) -> UpDown:
    """Read the up set and the down set of a signature.

    Names end in `_UP`, and in `_DN` or `_DOWN`, as in MSigDB. A single set without such an ending
    is the up set.

    Raises
    ------
    ValueError
        With the file, the set and a remedy: more than two sets, no up set, a set without genes or
        with fewer than five, a gene in both sets.
    """
    sets = read_gene_sets([path])
    names = [part.name for part in sets]
    if not 1 <= len(sets) <= 2:
        said = f"has {len(sets)} gene sets ({shortened(names)})" if sets else "has no gene set"
        raise ValueError(
            f"{path}: {said}; a signature is one set, or two whose names end in _UP and _DN"
        )
    sides = [_side(part.name) for part in sets]
    if sides == [""]:
        sides = ["up"]
    if sorted(sides) not in (["up"], ["down", "up"]):
        raise ValueError(f"{path}: {_wrong_sides(names, sides)}")
    by_side = dict(zip(sides, sets, strict=True))
    up, down = by_side["up"], by_side.get("down")
    for part in sets:
        if len(part.genes) < MIN_GENES:
            raise ValueError(
                f"{path}: set `{part.name}` has {len(part.genes)} genes "
                f"({', '.join(part.genes)}); give at least {MIN_GENES}"
            )
    both = [gene for gene in up.genes if down is not None and gene in down.genes]
    if down is not None and both:
        raise ValueError(
            f"{path}: {shortened(both)} in both `{up.name}` and `{down.name}`; keep a gene in one"
        )
    return UpDown(SIDE.sub("", up.name), up, down)


def _side(name: str) -> str:
    """Return the side that a set's name ends in: `up`, `down`, or ""."""
    ending = SIDE.search(name)
    if ending is None:
        return ""
    return "up" if ending[1].upper() == "UP" else "down"


def _wrong_sides(names: list[str], sides: list[str]) -> str:
    """Say what is wrong with the names of one or two sets."""
    said = " and ".join(f"`{name}`" for name in names)
    if "up" not in sides:
        return f"{said}: no up set; let the name of the genes that rise in the state end in _UP"
    if sides.count("up") == len(sides):
        return f"{said} are both up sets; let the name of the genes that fall end in _DN"
    unnamed = names[sides.index("")]
    return f"`{unnamed}` is neither up nor down; let its name end in _DN, or remove it"
