"""Matrix Market files that hold parts of the molecules, as kallisto and STARsolo write them.

kb writes `cells_x_genes.mature.mtx`, `.nascent.mtx` and `.ambiguous.mtx`, and on request their sums
`.cell.mtx`, `.nucleus.mtx` and `.total.mtx`. STARsolo writes `spliced.mtx`, `unspliced.mtx` and
`ambiguous.mtx` into a folder `Velocyto`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lammscope.core.words import near
from lammscope.ingest.matrices.layers import SUMS
from lammscope.ingest.matrices.reader import refuse_layer

NAME = re.compile(
    r"(?P<base>(?:.*\.)?)"
    r"(?P<kind>spliced|unspliced|ambiguous|mature|nascent|total|cell|nucleus)\.mtx(?:\.gz)?$"
)
SUMMED = ("total", "cell")  # sums that count as all molecules, the first that is there is read
FIRST = tuple(summands[0] for summands in SUMS)  # the files that stand for their sums
ALONE = ("spliced", "unspliced", "ambiguous", "mature", "nascent")


@dataclass(frozen=True)
class Parts:
    """The files to sum, usually one; `words` says what is read and left out if there are others."""

    paths: tuple[Path, ...]
    words: str = ""
    doubtful: bool = False


def without_parts(paths: Iterable[Path]) -> list[Path]:
    """Keep one file of those that hold parts of the same molecules, and their sums.

    A file without a kind in its name comes first, then `total`, `cell`, and the part to which
    `choose_parts` adds the others.
    """
    kept: list[Path] = []
    by_base: dict[str, dict[str, Path]] = {}
    for path in paths:
        found = NAME.match(path.name)
        if found:
            by_base.setdefault(found["base"], {}).setdefault(found["kind"], path)
        else:
            kept.append(path)
    names = {re.sub(r"mtx(\.gz)?$", "", path.name) for path in kept}
    for base, kinds in by_base.items():
        if base in names or (not base and kept):
            continue
        order = (*SUMMED, *FIRST, *kinds)
        kept.append(next(kinds[kind] for kind in order if kind in kinds))
    return sorted(kept)


def choose_parts(path: Path, *, layer: str | None) -> Parts:
    """Choose the files to sum.

    Parameters
    ----------
    path
        An `.mtx` file.
    layer
        The user's choice: kinds with `+` between, such as `mature+nascent`.

    Raises
    ------
    ValueError
        If a kind that `layer` names has no file, or if there are only parts that do not add up.
    """
    found = NAME.match(path.name)
    if not found:
        refuse_layer(layer)
        return Parts((path,))
    kinds = _siblings(path, base=found["base"])
    if layer:
        names = [name.strip() for name in layer.split("+")]
        missing = next((name for name in names if name not in kinds), None)
        if missing is not None:
            raise ValueError(
                f"no {found['base']}{missing}.mtx{near(missing, kinds)}; there are: "
                f"{', '.join(kinds)}; correct the column `layer` of the sample sheet"
            )
        words = f"{' + '.join(names)} molecules, as the sample sheet says"
        return Parts(tuple(kinds[name] for name in names), words)
    return _chosen(path, found["kind"], kinds)


def _siblings(path: Path, *, base: str) -> dict[str, Path]:
    """List the files of the same molecules by kind; plain before .gz."""
    named = [(NAME.match(other.name), other) for other in sorted(path.parent.iterdir())]
    kinds: dict[str, Path] = {}
    for found, other in named:
        if found and found["base"] == base:
            kinds.setdefault(found["kind"], other)
    return kinds | {found["kind"]: path for found in [NAME.match(path.name)] if found}


def _chosen(path: Path, kind: str, kinds: dict[str, Path]) -> Parts:
    """Return the file itself, or with the other summands of its kind."""
    chosen: tuple[str, ...] = (kind,)
    for summands in SUMS:
        if kind == summands[0] and all(name in kinds for name in summands):
            chosen = summands
    others = [name for name in kinds if name not in chosen]
    if chosen == (kind,) and kind in FIRST and set(others) & set(ALONE):
        example = "+".join([kind, *(name for name in others if name in ALONE)])
        raise ValueError(
            f"holds {kind} molecules only; write what to read into the column `layer` of the "
            f"sample sheet, e.g. {example}"
        )
    words = f"{' + '.join(chosen)} molecules"
    if others:
        words += f"; left out: {', '.join(others)}"
    doubtful = len(chosen) > 1 or kind in ALONE
    if doubtful:
        words += (
            "; if that is wrong, write what to read into the column `layer` of the sample sheet"
        )
    return Parts(tuple(kinds[name] for name in chosen), words, doubtful)
