"""The marker panel: reading, checks, and genes that are missing from the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import yaml

from lammscope.core.names import PER, UNASSIGNED
from lammscope.core.plain_text import read_text, refuse_hidden
from lammscope.core.yaml_text import load_yaml


@dataclass(frozen=True)
class Marker:
    """A gene that is evidence for (weight > 0) or against (weight < 0) a branch or type.

    `level` is the typical rate, UMIs per 10,000, in the population that expresses the gene.
    """

    gene: str
    weight: float
    level: float
    source: str


@dataclass(frozen=True)
class CellType:
    """A type of the panel. Without markers of its own, it is the only type of its branch.

    It is a candidate only if its score is at least `lead` above the best type of the branch's other
    lineages.
    """

    name: str
    lineage: str
    markers: tuple[Marker, ...]
    lead: float = 0.0


@dataclass(frozen=True)
class Branch:
    """The first level of the panel: markers that lead to a group of types.

    A cell of the branch whose best type scores below `fallback_below` has the type `fallback`.
    """

    name: str
    markers: tuple[Marker, ...]
    types: tuple[CellType, ...]
    fallback: str | None
    fallback_below: float


@dataclass(frozen=True)
class State:
    """A state that cells of any type can be in; it changes neither type nor lineage."""

    name: str
    markers: tuple[Marker, ...]


@dataclass(frozen=True)
class Panel:
    """A checked two-level marker panel; `external` has the lineages of types from elsewhere."""

    name: str
    branches: tuple[Branch, ...]
    states: tuple[State, ...]
    external: dict[str, str]
    sources: dict[str, str]
    min_present: float

    @property
    def types(self) -> tuple[CellType, ...]:
        """All types, branch by branch."""
        return tuple(cell_type for branch in self.branches for cell_type in branch.types)

    @property
    def lineages(self) -> dict[str, str]:
        """Lineage of every type, the external ones and `unassigned` included."""
        own = {cell_type.name: cell_type.lineage for cell_type in self.types}
        return own | self.external | {UNASSIGNED: UNASSIGNED}


def load_panel(path: str | Path) -> Panel:
    """Read and check a marker panel; a comment at the top of the shipped one describes the format.

    Raises a ValueError with file, entry and remedy for anything that cannot be used.
    """
    path = Path(path)
    try:
        text = read_text(path)
        refuse_hidden(text, path)
        content = load_yaml(text)
    except yaml.YAMLError as error:
        where = str(getattr(error, "problem_mark", "")).strip()
        raise ValueError(f"{path}: not valid YAML ({where}); correct that line") from error
    entry = _Entry(path, "the file", content)
    entry.refuse_others("name", "min_present", "sources", "external", "branches", "states")
    sources = entry.get("sources", dict)
    branches = tuple(
        _read_branch(_Entry(path, f"branches.{name}", value), name, sources)
        for name, value in entry.get("branches", dict).items()
    )
    external = {
        name: _Entry(path, f"external.{name}", value).get("lineage", str)
        for name, value in (content.get("external") or {}).items()
    }
    panel = Panel(
        name=entry.get("name", str),
        branches=branches,
        states=tuple(
            _read_state(_Entry(path, f"states.{name}", value), name, sources)
            for name, value in (content.get("states") or {}).items()
        ),
        external=external,
        sources=sources,
        min_present=entry.number("min_present", low=0, high=1),
    )
    names = [cell_type.name for cell_type in panel.types] + list(external)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{path}: type {name} occurs {names.count(name)} times; keep one")
    levels: dict[str, float] = {}
    for marker in (marker for each in panel_entries(panel) for marker in each.markers):
        if levels.setdefault(marker.gene, marker.level) != marker.level:
            raise ValueError(
                f"{path}: gene {marker.gene} has the levels {levels[marker.gene]:g} and "
                f"{marker.level:g}; give only one"
            )
    return panel


def panel_symbols(panel: Panel) -> list[str]:
    """Return the gene symbols of the panel, sorted, each once."""
    return sorted({marker.gene for entry in panel_entries(panel) for marker in entry.markers})


def missing_markers(panel: Panel, symbols: Sequence[str]) -> pd.DataFrame:
    """List the genes of a panel that are missing from the data.

    Returns one row per branch or type with missing genes: `entry`, `missing` (comma list),
    `present_weight` (share of the positive weight in the data) and `dropped` (bool: below the
    panel's `min_present`, so it is not scored).
    """
    known = set(symbols)
    rows = []
    for entry in panel_entries(panel):
        missing = [marker.gene for marker in entry.markers if marker.gene not in known]
        if missing:
            present = present_weight(entry, known)
            rows.append((entry.name, ",".join(missing), present, present < panel.min_present))
    return pd.DataFrame(rows, columns=["entry", "missing", "present_weight", "dropped"])


def panel_entries(panel: Panel) -> list[Branch | CellType | State]:
    """Return the branches, then the types, then the states."""
    return [*panel.branches, *panel.types, *panel.states]


def present_weight(entry: Branch | CellType | State, known: set[str]) -> float:
    """Return the share of the weight of an entry's positive markers that is in the data."""
    positive = [marker for marker in entry.markers if marker.weight > 0]
    weight = sum(marker.weight for marker in positive)
    return sum(m.weight for m in positive if m.gene in known) / weight if weight else 1.0


def _read_branch(entry: "_Entry", name: str, sources: Mapping[str, str]) -> Branch:
    entry.refuse_others("note", "fallback", "positive", "negative", "types")
    types = []
    for type_name, value in entry.get("types", dict).items():
        inner = _Entry(entry.path, f"{entry.where}.types.{type_name}", value)
        inner.refuse_others("lineage", "note", "lead", "positive", "negative")
        markers = inner.markers(sources)
        lead = inner.number("lead", low=0, high=1) if "lead" in inner.value else 0.0
        types.append(CellType(type_name, inner.get("lineage", str), markers, lead))
    if len(types) > 1:
        for cell_type in types:
            if not any(marker.weight > 0 for marker in cell_type.markers):
                entry.fail(
                    f"type {cell_type.name} has no positive markers; "
                    "give some, or make it the only type of its branch"
                )
    fallback, below = None, 0.0
    if "fallback" in entry.value:
        inner = _Entry(entry.path, f"{entry.where}.fallback", entry.value["fallback"])
        inner.refuse_others("type", "below")
        fallback, below = inner.get("type", str), inner.number("below", low=0, high=1)
        if fallback not in {cell_type.name for cell_type in types}:
            inner.fail(f"{fallback} is not a type of this branch; name one of its types")
    markers = entry.markers(sources)
    if not any(marker.weight > 0 for marker in markers):
        entry.fail("no positive markers; give at least one")
    return Branch(name, markers, tuple(types), fallback, below)


def _read_state(entry: "_Entry", name: str, sources: Mapping[str, str]) -> State:
    entry.refuse_others("note", "positive", "negative")
    markers = entry.markers(sources)
    if not any(marker.weight > 0 for marker in markers):
        entry.fail("no positive markers; give at least one")
    return State(name, markers)


@dataclass(frozen=True)
class _Entry:
    """A mapping of the panel file, with its place for messages."""

    path: Path
    where: str
    value: Any

    def fail(self, problem: str) -> NoReturn:
        raise ValueError(f"{self.path}: {self.where}: {problem}")

    def refuse_others(self, *keys: str) -> None:
        if not isinstance(self.value, dict):
            self.fail(f"should be a mapping with the keys {', '.join(keys)}")
        for key in self.value:
            if key not in keys:
                self.fail(f"unknown key {key}; known keys are {', '.join(keys)}")

    def get(self, key: str, kind: type) -> Any:
        value = self.value.get(key) if isinstance(self.value, dict) else None
        if not isinstance(value, kind) or not value:
            noun = "mapping" if kind is dict else "text"
            self.fail(f"needs {key} (a non-empty {noun})")
        return value

    def number(self, key: str, *, low: float, high: float) -> float:
        value = self.value.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            self.fail(f"{key} is {value!r}; give a number from {low} to {high}")
        return float(value)

    def markers(self, sources: Mapping[str, str]) -> tuple[Marker, ...]:
        found = []
        for key, sign in (("positive", 1), ("negative", -1)):
            for line, item in enumerate(self.value.get(key) or [], start=1):
                inner = _Entry(self.path, f"{self.where}.{key}[{line}]", item)
                inner.refuse_others("gene", "weight", "level", "source")
                source = inner.get("source", str)
                if source not in sources:
                    inner.fail(f"source {source} is not under `sources`; add it there")
                weight = inner.number("weight", low=0.01, high=100)
                level = inner.number("level", low=0.01, high=PER)
                found.append(Marker(inner.get("gene", str), sign * weight, level, source))
        genes = [marker.gene for marker in found]
        for gene in genes:
            if genes.count(gene) > 1:
                self.fail(f"gene {gene} occurs twice; keep one line")
        return tuple(found)
