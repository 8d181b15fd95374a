"""Gene sets in GMT files: a name, a source, then symbols, separated by tabs."""

from collections.abc import Iterable
from pathlib import Path


def read_signatures(paths: Iterable[str | Path]) -> dict[str, list[str]]:
    """Read gene sets.

    Raises
    ------
    ValueError
        If a line has no gene, or a name stands in two places.
    """
    signatures: dict[str, list[str]] = {}
    for path in paths:
        text = Path(path).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            name, *rest = [field.strip() for field in line.split("\t")]
            genes = [gene for gene in rest[1:] if gene]
            if not genes:
                raise ValueError(f"{path}: row {number}: set `{name}` has no genes; add symbols")
            if name in signatures:
                raise ValueError(f"{path}: row {number}: set `{name}` is there twice; rename one")
            signatures[name] = genes
    return signatures
