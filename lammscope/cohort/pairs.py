"""The table of ligand-receptor pairs: what a sender expresses, and what a receiver does.

A term is a ligand, the enzymes that make it, or a receptor. It has parts that are all needed; each
part is one gene, or several of which either is enough.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lammscope.cohort.config import read_schema
from lammscope.cohort.sheet_file import fill_defaults, read_sheet

ROLES = ("myeloid", "T", "other")  # groups of cells; `axis` in the config lists their populations
NEEDED, EITHER = "+", "|"
GENE = re.compile(r"[A-Za-z][A-Za-z0-9.-]*|[0-9]+[A-Za-z][A-Za-z0-9.-]*")
# Nearly all cells express these synthases, so they show no PGE2 (`docs/methods/axis.md`).
UBIQUITOUS = frozenset({"PTGES2", "PTGES3"})
RECEPTORS_OF_PGE2 = frozenset({"PTGER1", "PTGER2", "PTGER3", "PTGER4"})


@dataclass(frozen=True)
class Term:
    """A ligand or receptor: parts that are all needed, each of genes of which either is enough."""

    parts: tuple[tuple[str, ...], ...]

    @property
    def genes(self) -> tuple[str, ...]:
        """All genes, in their order."""
        return tuple(gene for part in self.parts for gene in part)

    def __str__(self) -> str:
        """Return the term as it is written in the table."""
        return NEEDED.join(EITHER.join(part) for part in self.parts)


@dataclass(frozen=True)
class Pair:
    """A ligand-receptor pair.

    Attributes
    ----------
    name
        Unique name.
    ligand, receptor
        Terms of the sender and of the receiver.
    senders, receivers
        Of `ROLES`.
    kind
        Such as `secreted`, `checkpoint` or `lipid`.
    is_tested
        False for a pair whose levels are shown only.
    source
        Paper or resource.
    """

    name: str
    ligand: Term
    receptor: Term
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    kind: str
    is_tested: bool
    source: str

    @property
    def genes(self) -> tuple[str, ...]:
        """Genes of both terms."""
        return self.ligand.genes + self.receptor.genes


def read_pairs(paths: Iterable[str | Path]) -> list[Pair]:
    """Read tables of pairs, in the order of files and rows.

    The tables may be TSV, CSV or .xlsx; columns are those of `interactions.schema.yaml`.

    Raises
    ------
    ValueError
        One line per mistake, with file, row, value and remedy: a missing column, a term or role
        that cannot be read, a name or a pair that occurs twice (also in the other direction), a
        gene that is compared with itself, and a pair that would show PGE2 by a synthase that
        nearly all cells express.
    """
    schema = read_schema("interactions")
    pairs: list[tuple[str, Pair]] = []
    mistakes: list[str] = []
    for path in paths:
        sheet = read_sheet(path, schema=schema)
        mistakes += sheet.mistakes
        if sheet.table is None or sheet.mistakes:
            continue
        for row, values in fill_defaults(sheet.table, schema).iterrows():
            place = f"{sheet.path}: row {row}"
            try:
                pairs.append((place, _read_pair(values.to_dict())))
            except ValueError as error:
                mistakes += [f"{place}: {line}" for line in str(error).splitlines()]
    mistakes += _repeated(pairs)
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return [pair for _, pair in pairs]


def read_term(text: str) -> Term:
    """Read a term such as `PTGS1|PTGS2+PTGES`.

    Raises
    ------
    ValueError
        If a gene is missing or is no name of a gene, or occurs twice.
    """
    parts = tuple(tuple(gene.strip() for gene in part.split(EITHER)) for part in text.split(NEEDED))
    genes = [gene for part in parts for gene in part]
    for gene in genes:
        if not GENE.fullmatch(gene):
            said = f"`{gene}` is not the name of a gene" if gene else "a gene is missing"
            raise ValueError(
                f"`{text}`: {said}; write symbols or Ensembl ids with `{NEEDED}` between genes "
                f"that are all needed and `{EITHER}` between those of which either is enough"
            )
        if genes.count(gene) > 1:
            raise ValueError(f"`{text}`: {gene} occurs twice; keep one")
    return Term(parts)


def all_genes(pairs: Sequence[Pair]) -> list[str]:
    """Return the genes of all pairs, each once, in the order of the pairs."""
    return list(dict.fromkeys(gene for pair in pairs for gene in pair.genes))


def same_receptor(pairs: Sequence[Pair], name: str) -> list[Pair]:
    """Return the tested pairs with the receptor of the pair of this name; none without it."""
    receptors = {str(pair.receptor) for pair in pairs if pair.name == name}
    return [pair for pair in pairs if pair.is_tested and str(pair.receptor) in receptors]


def _read_pair(row: Mapping[Any, Any]) -> Pair:
    terms, roles, mistakes = {}, {}, []
    for column in ("ligand", "receptor"):
        try:
            terms[column] = read_term(str(row[column]))
        except ValueError as error:
            mistakes.append(f"column `{column}`: {error}")
    for column in ("sender", "receiver"):
        roles[column] = tuple(part.strip() for part in str(row[column]).split(EITHER))
        mistakes += [
            f"column `{column}`: `{role}` is not a group of cells; groups: {', '.join(ROLES)}"
            for role in roles[column]
            if role not in ROLES
        ]
    if mistakes:
        raise ValueError("\n".join(mistakes))
    pair = Pair(
        name=str(row["pair"]),
        ligand=terms["ligand"],
        receptor=terms["receptor"],
        senders=roles["sender"],
        receivers=roles["receiver"],
        kind=str(row["kind"]),
        is_tested=row["use"] == "test",
        source=str(row["source"]),
    )
    both = set(pair.ligand.genes) & set(pair.receptor.genes)
    if both and set(pair.senders) & set(pair.receivers):
        raise ValueError(
            f"pair `{pair.name}`: {min(both)} is in ligand and receptor of the same cells, so it "
            "would be compared with itself; change the ligand, the receptor or the groups"
        )
    _refuse_ubiquitous(pair)
    return pair


def _refuse_ubiquitous(pair: Pair) -> None:
    """Refuse to test PGE2 by synthases that nearly all cells express."""
    receptors = {gene.upper() for gene in pair.receptor.genes}
    if not pair.is_tested or not receptors & RECEPTORS_OF_PGE2:
        return
    for part in pair.ligand.parts:
        if not {gene.upper() for gene in part} & UBIQUITOUS:
            return  # a part that is needed and specific
    raise ValueError(
        f"pair `{pair.name}`: nearly all cells express {' and '.join(sorted(UBIQUITOUS))}, so "
        f"`{pair.ligand}` shows no PGE2; write the ligand as `PTGS1|PTGS2+PTGES`, or `show` in "
        "column `use`"
    )


def _repeated(pairs: Sequence[tuple[str, Pair]]) -> list[str]:
    """Find names that occur twice, and pairs that occur twice, also in the other direction."""
    names: dict[str, str] = {}
    seen: dict[tuple[object, ...], tuple[str, str]] = {}
    mistakes = []
    for place, pair in pairs:
        if pair.name in names:
            mistakes.append(
                f"{place}: pair `{pair.name}` is also in {names[pair.name]}; rename one"
            )
        names.setdefault(pair.name, place)
        ligand, receptor = (
            frozenset(frozenset(gene.upper() for gene in part) for part in term.parts)
            for term in (pair.ligand, pair.receptor)
        )
        for sender in pair.senders:
            for receiver in pair.receivers:
                same = seen.get((ligand, receptor, sender, receiver))
                turned = seen.get((receptor, ligand, receiver, sender))
                other = same or turned
                if other:
                    how = "" if same else ", in the other direction,"
                    mistakes.append(
                        f"{place}: `{pair.name}`{how} is the pair `{other[1]}` of {other[0]}; "
                        "keep one, or it would be tested twice"
                    )
                seen.setdefault((ligand, receptor, sender, receiver), (place, pair.name))
    return list(dict.fromkeys(mistakes))
