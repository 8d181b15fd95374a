"""Which matrix of an AnnData file holds the counts: `X`, a layer, `raw.X`, or a sum of layers.

A matrix of whole numbers need not hold all molecules. Tools of RNA velocity store its parts
(spliced, unspliced and ambiguous, or mature and nascent molecules), and `X` is often reduced to
variable genes. So names and sizes decide, not the order in the file.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lammscope.core.words import near
from lammscope.ingest.matrices.stored import (
    Group,
    first_rows,
    holds_values,
    index_of,
    is_empty,
    shape_of,
    starts_with_counts,
)

# Usual names of raw counts, most frequent first: scanpy, scvi-tools, velocyto (`matrix`), kb
# (`total`); then any name that consists of such words only
WHOLE = ("counts", "raw_counts", "raw", "matrix", "total")
WHOLE_WORDS = {
    *("raw", "count", "counts", "umi", "umis", "matrix", "total", "all", "x", "original"),
    *("unnormalized", "rna"),
}
# Parts of the molecules: velocyto and alevin-fry, kb, dropEst and zUMIs
PARTS = (
    *("spliced", "unspliced", "ambiguous", "spanning"),
    *("mature", "nascent", "exon", "intron"),
)
OTHER_NAMES = {"exonic": "exon", "intronic": "intron"}
LETTERS = {"s": "spliced", "u": "unspliced", "a": "ambiguous"}  # if they are the whole name
# Words in names of matrices that are no counts, even if someone rounded them
NO_COUNTS = {
    *("cpm", "tpm", "rpkm", "fpkm", "rpm", "cp10k", "norm", "normalized", "normalised", "lognorm"),
    *("log", "log1p", "logcounts", "scaled", "zscore", "binary", "binarized", "binarised"),
    *("imputed", "magic", "denoised", "smoothed", "ms", "mu", "velocity"),
}
# The sums that count as all molecules: the format `scRNA`, the default of `loadFry` in the R
# package fishpond
SUMS = (("spliced", "ambiguous"), ("mature", "ambiguous"))
RAW = ("raw/X", "raw.X")  # the latter before anndata 0.7
ROWS_COMPARED = 200  # the first cells, which show whether two matrices are the same; our choice
SHARED_GENES = 0.5  # of the genes of the smaller matrix, to compare two; our choice


@dataclass(frozen=True)
class Candidate:
    """A matrix: its place in the file, the place of its genes, and its number of genes."""

    where: str
    var: str
    n_genes: int

    @property
    def name(self) -> str:
        """Its name in the column `layer` of the sample sheet."""
        return self.where.removeprefix("layers/").replace("/", ".")

    @property
    def words(self) -> str:
        """Its name in messages."""
        return f"layer `{self.name}`" if self.where.startswith("layers/") else self.name

    @property
    def part(self) -> str:
        """Which part of the molecules the name says, or empty text."""
        if not self.where.startswith("layers/"):
            return ""
        words = _words(self.name)
        if len(words) == 1 and words[0] in LETTERS:
            return LETTERS[words[0]]
        words = [OTHER_NAMES.get(word, word) for word in words]
        return next((word for word in words if word in PARTS), "")

    @property
    def named_no_counts(self) -> bool:
        """Whether the name says that these are no counts, such as `cpm`."""
        return self.where.startswith("layers/") and not NO_COUNTS.isdisjoint(_words(self.name))

    @property
    def rank(self) -> int:
        """How likely these are the raw counts, by name; 0 is most likely."""
        if self.where == "X":
            return len(WHOLE) + 1
        name = "raw" if self.where in RAW else "_".join(_words(self.name))
        if name in WHOLE:
            return WHOLE.index(name)
        return len(WHOLE) if set(_words(self.name)) <= WHOLE_WORDS else len(WHOLE) + 2


@dataclass(frozen=True)
class Choice:
    """The matrices to sum (usually one) and their genes.

    `words` says what is read and left out; `doubtful`: the user should check it.
    """

    places: tuple[str, ...]
    var: str
    words: str
    doubtful: bool = False


def choose_matrix(
    store: Group, *, layer: str | None = None, without: Collection[str] = ()
) -> Choice:
    """Choose the matrix of counts of an AnnData file.

    Matrices of all molecules come first, those with the most genes before others, then by name
    (see `WHOLE`), `X`, and other layers. Parts of the molecules, or a copy of one, are never read
    alone: spliced (or mature) and ambiguous molecules are summed.

    Parameters
    ----------
    store
        The open file.
    layer
        The user's choice: `X`, `raw.X`, the name of a layer, or several with `+` between.
    without
        Places of matrices that turned out to hold other values than counts.

    Raises
    ------
    ValueError
        If no matrix starts with counts, if there are only parts that do not add up, or if `layer`
        does not exist or does not start with counts.
    """
    candidates = _candidates(store)
    if layer:
        return _asked(store, candidates, layer=layer)
    counts = [
        c for c in candidates if c.where not in without and starts_with_counts(store[c.where])
    ]
    usable = [c for c in counts if not c.named_no_counts]
    if not usable:
        raise ValueError(_no_counts(candidates))
    parts = {c.part: c for c in usable if c.part}
    copies = _copies(store, [c for c in usable if not c.part], parts=parts)
    whole = [c for c in usable if not c.part and c.where not in copies]
    if whole:
        best = min(whole, key=lambda c: (is_empty(store[c.where]), -c.n_genes, c.rank))
        chosen = [best]
    else:
        chosen = _summed(parts)
    return _described(store, candidates, counts=counts, chosen=chosen, copies=copies)


def _candidates(store: Group) -> list[Candidate]:
    layers = list(store["layers"]) if "layers" in store else []
    places = [("X", "var"), *((f"layers/{name}", "var") for name in layers)]
    places += [(where, where.replace("X", "var")) for where in RAW]
    return [
        Candidate(where, var, shape_of(store[where])[1])
        for where, var in places
        if where in store and var in store and holds_values(store[where])
    ]


def _words(name: str) -> list[str]:
    """Split a name into words, in small letters; `un-spliced` is one."""
    text = re.sub(r"(?i)un[_ .-]spliced", "unspliced", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", text) if word]


def _asked(store: Group, candidates: list[Candidate], *, layer: str) -> Choice:
    """Return the matrix, or the sum of matrices, that the user named."""
    known = {c.name: c for c in candidates}
    raw = next((c for c in candidates if c.where in RAW), None)
    if raw is not None:
        known |= {name: raw for name in ("raw.X", "raw/X", "raw") if name not in known}
    names = [layer] if layer in known else [name.strip() for name in layer.split("+")]
    missing = next((name for name in names if name not in known), None)
    if missing is not None:
        there = ", ".join(c.name for c in candidates) or "none"
        raise ValueError(
            f"has no layer `{missing}`{near(missing, list(known))}; its matrices: {there}; correct "
            "the column `layer` of the sample sheet, or leave it empty"
        )
    chosen = [known[name] for name in names]
    if len(set(names)) < len(names) or len({c.var for c in chosen}) > 1:
        raise ValueError(f"`{layer}` cannot be summed; name different layers in the column `layer`")
    bad = next((c for c in chosen if not starts_with_counts(store[c.where])), None)
    if bad is not None:
        raise ValueError(f"no integer counts in {bad.name}; name another matrix in `layer`")
    words = f"{_sum_in_words(chosen)} ({chosen[0].n_genes:,} genes), as the sample sheet says"
    return Choice(tuple(c.where for c in chosen), chosen[0].var, words)


def _no_counts(candidates: list[Candidate]) -> str:
    if not candidates:
        return "holds no matrix (no X, layer or raw.X); save it with the raw UMI counts"
    names = ", ".join(c.where.replace("/", ".") for c in candidates)
    return f"no integer counts in {names} (normalized?); give the raw UMI counts"


def _summed(parts: Mapping[str, Candidate]) -> list[Candidate]:
    """Return the parts whose sum counts as all molecules."""
    for kinds in SUMS:
        if all(kind in parts for kind in kinds):
            return [parts[kind] for kind in kinds]
    names = [c.name for c in parts.values()]
    example = "+".join(names) if len(names) > 1 else names[0]
    raise ValueError(
        f"holds counts of parts of the molecules only ({', '.join(names)}), and no matrix of all; "
        f"write what to read into the column `layer` of the sample sheet, e.g. {example}"
    )


def _copies(
    store: Group, candidates: list[Candidate], *, parts: Mapping[str, Candidate]
) -> dict[str, str]:
    """Find matrices that hold the same as one part, e.g. an `X` of mature molecules."""
    return {
        c.where: kind
        for c in candidates
        for kind, part in parts.items()
        if _are_same(store, c, part)
    }


def _are_same(store: Group, one: Candidate, other: Candidate) -> bool:
    """Test whether two matrices have the same counts of the same genes, by their first cells."""
    blocks: list[Any] = [first_rows(store[c.where], ROWS_COMPARED) for c in (one, other)]
    if one.var != other.var:
        names = [pd.Index(index_of(store[c.var])) for c in (one, other)]
        shared = names[0][~names[0].duplicated()].intersection(names[1][~names[1].duplicated()])
        if len(shared) <= SHARED_GENES * min(map(len, names)):
            return False
        blocks = [
            block[:, pd.Series(range(len(index)), index=index)[~index.duplicated()][shared]]
            for block, index in zip(blocks, names, strict=True)
        ]
    if blocks[0].shape != blocks[1].shape or not (blocks[0].nnz and blocks[1].nnz):
        return False
    return bool((blocks[0] != blocks[1]).nnz == 0)


def _described(
    store: Group,
    candidates: list[Candidate],
    *,
    counts: list[Candidate],
    chosen: list[Candidate],
    copies: Mapping[str, str],
) -> Choice:
    """Say what is read, what is left out and why."""
    first = chosen[0]
    doubtful = len(chosen) > 1
    left_out = []
    for c in candidates:
        if c in chosen:
            continue
        if c not in counts:
            why = "no counts"
            doubtful |= first.where == "X" and bool(c.part)
        elif c.part:
            why = "a part of the molecules"
        elif c.where in copies:
            why = f"{copies[c.where]} molecules only"
        elif c.n_genes < first.n_genes:
            why = f"only {c.n_genes:,} genes"
        elif len(chosen) == 1 and _are_same(store, c, first):
            why = "the same counts"
        else:
            why = "other values"
            doubtful = True
        left_out.append(f"{c.words} ({why})")
    words = f"{_sum_in_words(chosen)} ({first.n_genes:,} genes)"
    if left_out:
        words += f"; left out: {', '.join(left_out)}"
    if doubtful:
        words += "; if that is wrong, name the counts in the column `layer` of the sample sheet"
    return Choice(tuple(c.where for c in chosen), first.var, words, doubtful)


def _sum_in_words(chosen: list[Candidate]) -> str:
    if len(chosen) == 1:
        return chosen[0].words
    return f"the sum of the layers {' and '.join(f'`{c.name}`' for c in chosen)}"
