"""Other reasonable choices of a run: their combinations, and the files that they share.

A *specification* is one value of each choice. Choices of cells and calls need steps of the workflow
in a folder of their own; the others are made when a table of counts is tested. A folder holds only
the files that no earlier folder has: with another resolution of clusters, neighbors are those of
the run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from lammscope.core.names import NONE
from lammscope.core.words import counted

# Choices that need their own cells and calls, and the key of the config that each replaces.
UPSTREAM = {
    "qc": ("qc",),
    "doublets": ("doublets", "remove"),
    "integration": ("integration", "method"),
    "n_neighbors": ("clustering", "n_neighbors"),
    "resolution": ("clustering", "resolution"),
    "ambient": ("lamm", "fold"),
}
TABLE = ("level", "probability", "denominator", "scale", "adjust")
CHOICES = (*UPSTREAM, *TABLE)
# Stages of the workflow, and the choices on which the files of each depend.
STAGES = {
    "quality": ("qc",),
    "cells": ("qc", "doublets"),
    "space": ("qc", "doublets", "integration"),
    "neighbors": ("qc", "doublets", "integration", "n_neighbors"),
    "clusters": ("qc", "doublets", "integration", "n_neighbors", "resolution"),
    "calls": tuple(UPSTREAM),
    "counts": tuple(UPSTREAM),
}
OWN = "own"  # the run's own quality limits; also the folder of its counts at other probabilities
RUN = ""  # the name of the run's own results among the folders
SCALES = ("logit", "arcsine")
OK, UNDEFINED = "ok", "not_defined"  # status of a specification
Values = Mapping[str, str]


@dataclass(frozen=True)
class Multiverse:
    """The choices of a run.

    Attributes
    ----------
    choices
        The values of each choice as text, the run's own first.
    crossing
        `full` or `single`, as in the config.
    more_thresholds
        Whether probabilities are listed at which the run itself does not count cells.
    covariates
        The covariates of each value of `adjust`.
    computed
        Methods of integration whose embeddings the run itself computes.
    """

    choices: Mapping[str, tuple[str, ...]]
    crossing: str
    more_thresholds: bool
    covariates: Mapping[str, tuple[str, ...]]
    computed: tuple[str, ...] = ()

    @property
    def own(self) -> dict[str, str]:
        """The run's own value of each choice."""
        return {choice: values[0] for choice, values in self.choices.items()}

    @property
    def varied(self) -> list[str]:
        """Choices with more than one value."""
        return [choice for choice, values in self.choices.items() if len(values) > 1]

    @cached_property
    def specifications(self) -> list[dict[str, str]]:
        """All combinations, the run's own first."""
        return list(self._combinations(CHOICES))

    @cached_property
    def folders(self) -> dict[str, dict[str, str]]:
        """Choices of cells and calls by name of the folder; `RUN` is the run's own results."""
        found = {RUN: {choice: self.own[choice] for choice in UPSTREAM}}
        if self.more_thresholds:
            found[OWN] = found[RUN]
        for values in self._combinations(tuple(UPSTREAM)):
            found.setdefault(self.folder_of(values), values)
        return found

    @property
    def n_specifications(self) -> int:
        """The number of combinations, without making them."""
        return self._number(CHOICES)

    @property
    def n_folders(self) -> int:
        """The number of combinations that need their own cells and calls."""
        return self._number(tuple(UPSTREAM)) - 1

    def folder_of(self, values: Values) -> str:
        """Return the name of the folder whose cells and calls a specification uses."""
        other = [name for name in UPSTREAM if values[name] != self.own[name]]
        if not other:
            return OWN if self.more_thresholds else RUN
        return "-".join(f"{name}_{values[name]}" for name in other)

    def holder(self, folder: str, stage: str) -> str:
        """Return the first folder with the same choices up to a stage: it holds the files."""
        wanted = self._key(folder, stage)
        return next(name for name in self.folders if self._key(name, stage) == wanted)

    def held(self, stage: str) -> list[str]:
        """Return the folders that hold files of a stage; not the run's own results."""
        return [name for name in self.folders if name and self.holder(name, stage) == name]

    def n_jobs(self, *, n_parts: int, labels: bool) -> int:
        """Count the jobs that the folders add; `labels`: whether a CellTypist model is used."""
        jobs = {
            "quality": 2 * n_parts + 1,
            "cells": 2 + (2 + labels) * n_parts,
            "neighbors": 1,
            "clusters": 2,
            "calls": 1,
            "counts": 1,
        }
        n_spaces = sum(self.needs_integration(name) for name in self.held("space"))
        return n_spaces + sum(n * len(self.held(stage)) for stage, n in jobs.items())

    def needs_integration(self, folder: str) -> bool:
        """Tell whether the embedding of a folder is computed there."""
        method = self.folders[folder]["integration"]
        shares_cells = self.holder(folder, "cells") == RUN
        return method != NONE and not (shares_cells and method in self.computed)

    def _key(self, folder: str, stage: str) -> tuple[str, ...]:
        values = self.folders[folder]
        key = tuple(values[choice] for choice in STAGES[stage])
        with_more = stage == "counts" and self.more_thresholds and folder != RUN
        return (*key, "more thresholds") if with_more else key

    def _combinations(self, names: Sequence[str]) -> Iterator[dict[str, str]]:
        if self.crossing == "full":
            for values in product(*(self.choices[name] for name in names)):
                yield dict(zip(names, values, strict=True))
            return
        own = {name: self.own[name] for name in names}
        yield own
        for name in names:
            for value in self.choices[name][1:]:
                yield own | {name: value}

    def _number(self, names: Sequence[str]) -> int:
        sizes = [len(self.choices[name]) for name in names]
        if self.crossing != "full":
            return 1 + sum(size - 1 for size in sizes)
        number = 1
        for size in sizes:
            number *= size
        return number


def read_multiverse(config: Mapping[str, Any], *, adjust: Sequence[str]) -> Multiverse:
    """Return the choices of a resolved config; `adjust`: covariates of the primary contrast."""
    given = config["multiverse"]
    lamm, integration = config["lamm"], config["integration"]
    own: dict[str, Any] = {
        "qc": OWN,
        "doublets": "removed" if config["doublets"]["remove"] else "kept",
        "level": lamm["level"],
        "probability": lamm["probability"],
        "denominator": config["primary"]["denominator"],
        "scale": SCALES[0],
        "adjust": adjust,
    }
    for choice in ("integration", "n_neighbors", "resolution", "ambient"):
        section, key = UPSTREAM[choice]
        own[choice] = config[section][key]
    choices = {
        choice: tuple(dict.fromkeys(map(value_text, [own[choice], *given[choice]])))
        for choice in CHOICES
    }
    counted_at = {float(each) for each in counted_thresholds(config)}
    return Multiverse(
        choices,
        crossing=given["crossing"],
        more_thresholds=not {float(each) for each in choices["probability"]} <= counted_at,
        covariates={value_text(each): tuple(each) for each in [adjust, *given["adjust"]]},
        computed=tuple(dict.fromkeys([*integration["candidates"], integration["method"]])),
    )


def counted_thresholds(config: Mapping[str, Any]) -> list[float]:
    """Return the probabilities at which a run counts cells.

    They include the configured one, and one minus it, from which cells are uncertain.
    """
    own = config["lamm"]["probability"]
    return sorted({*config["robustness"]["thresholds"], own, round(1 - own, 9)})


def value_text(value: object) -> str:
    """Return a value of a choice as text: `none` for no covariates, else joined by `+`."""
    if isinstance(value, list | tuple):
        return "+".join(map(str, value)) or NONE
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def folder_config(config: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """Return the config of a folder: the run's with its own choices of cells and calls."""
    changed = {name: dict(part) for name, part in config.items() if isinstance(part, Mapping)}
    if values["qc"] != OWN:
        changed["qc"] |= config["multiverse"]["qc"][values["qc"]]
    changed["doublets"]["remove"] = values["doublets"] == "removed"
    changed["integration"]["method"] = values["integration"]
    changed["clustering"]["n_neighbors"] = int(values["n_neighbors"])
    changed["clustering"]["resolution"] = float(values["resolution"])
    changed["lamm"]["fold"] = float(values["ambient"])
    return {**config, **changed}


def is_listed(config: Mapping[str, Any]) -> bool:
    """Tell whether the config lists a value of any choice."""
    return any(config["multiverse"][choice] for choice in CHOICES)


def plan_line(multiverse: Multiverse, *, n_parts: int, labels: bool) -> str:
    """Say how many specifications there are, and what they cost in jobs."""
    n_jobs = multiverse.n_jobs(n_parts=n_parts, labels=labels)
    words = ", ".join(multiverse.varied).replace("_", " ")
    return (
        f"Multiverse: {counted(multiverse.n_specifications, 'specifications')} ({words}); "
        f"{counted(multiverse.n_folders, 'folders')} of other cells and calls, {n_jobs + 2:,} more "
        "jobs"
    )
