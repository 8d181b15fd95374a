"""Pairs that are compared in the same patients, and why some cannot be."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from lammscope.abundance.fractions import thinnest_depth
from lammscope.axis.groups import Groups
from lammscope.axis.strength import GroupCounts, log_cpm, part_counts, without_ambient
from lammscope.cohort.comparison import Comparison, design_problem
from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.design import (
    MIN_PATIENTS,
    design_matrix,
    independent_columns,
    tested_column,
)
from lammscope.cohort.pairs import Pair, Term
from lammscope.core.names import LAMM_ROWS, Array
from lammscope.expression.ambient_in_contrast import mark_ambient
from lammscope.expression.models import Model
from lammscope.expression.pseudobulk import IS_LIMIT
from lammscope.stats.effect import effect_test

# UMIs of each part per patient, at equal levels, in the arm with the fewest; with fewer, the prior
# count determines the level.
MIN_EXPECTED = 2
# Share of the smaller arm that must express a part as much. Where only few patients do, the levels
# of the others are those of the prior count, and so of their depth. Our choice.
EXPRESSING = 0.8
REASONS = {
    "shown": "shown only: nothing is tested (column `use` of the table of pairs)",
    "too_few_patients": f"fewer than {MIN_PATIENTS} patients in an arm, or too few for the model",
    "aliased": "the arms cannot be separated from a covariate",
}


@dataclass(frozen=True, eq=False)
class AxisQuestion:
    """A comparison of pairs, with its settings.

    Attributes
    ----------
    pairs
        The pairs.
    groups
        Groups of cells that send and receive.
    own
        Counts of each group in the units of the comparison.
    fractions
        Log2 fraction of each group among immune cells, units x sides; a group without an entry has
        no supply.
    comparison
        Who is compared with whom.
    min_cells
        Patients with fewer senders or receivers are left out, and named in `notes`.
    max_ambient_share
        As in `expression.ambient_in_contrast.mark_ambient`: terms whose UMIs ambient RNA may
        explain are not tested.
    """

    pairs: Sequence[Pair]
    groups: Groups
    own: Mapping[str, GroupCounts]
    fractions: Mapping[str, Array]
    comparison: Comparison
    min_cells: int
    max_ambient_share: float
    _patients: dict[bytes, "Patients"] = field(default_factory=dict)
    _sides: dict[Hashable, "TermSide"] = field(default_factory=dict)

    @property
    def units(self) -> pd.DataFrame:
        """The units of the comparison."""
        return self.comparison.units

    @cached_property
    def batches(self) -> list["Batch"]:
        """The pairs of each sender and receiver, by the patients in whom they are known."""
        return list(_make_batches(self))

    def patients(self, keep: np.ndarray) -> "Patients":
        """Return some of the units with their model; batches of the same units share it."""
        return self._patients.setdefault(keep.tobytes(), Patients(self, keep))

    def term_side(self, group: str, terms: Sequence[Term], patients: "Patients") -> "TermSide":
        """Return terms in a group of cells and some of the units; batches share them."""
        key = group, tuple(terms), patients.keep.tobytes()
        return self._sides.setdefault(key, TermSide(patients, group, terms))

    def routes(self) -> Iterator[tuple[str, str, list[Pair]]]:
        """Yield each sender and receiver with their pairs.

        Groups of one role overlap (LAMM cells are monocytic cells), so within a role cells send to
        their own group only.
        """
        by_role = self.groups.by_role
        found: dict[tuple[str, str], list[Pair]] = {}
        for pair in self.pairs:
            for sending in pair.senders:
                for receiving in pair.receivers:
                    for sender in by_role.get(sending, ()):
                        for receiver in by_role.get(receiving, ()):
                            if sending != receiving or sender == receiver:
                                found.setdefault((sender, receiver), []).append(pair)
        for (sender, receiver), pairs in found.items():
            yield sender, receiver, pairs


@dataclass(frozen=True, eq=False)
class Patients:
    """Some of the units of a question (`keep`, bool), and the model of them."""

    question: AxisQuestion
    keep: np.ndarray

    @property
    def contrast(self) -> Contrast:
        """The contrast."""
        return self.question.comparison.contrast

    @cached_property
    def units(self) -> pd.DataFrame:
        """The kept units."""
        return self.question.units[self.keep]

    @cached_property
    def arm(self) -> np.ndarray:
        """The arm of each unit."""
        return self.contrast.groups(self.units)

    @cached_property
    def _whole(self) -> pd.DataFrame:
        return design_matrix(self.units, self.contrast.adjust)

    @cached_property
    def problem(self) -> str:
        """Why the units cannot be compared; empty if they can."""
        return design_problem(self.units, self._whole, self.contrast)

    @cached_property
    def full(self) -> pd.DataFrame:
        """The design matrix, of full column rank."""
        return independent_columns(self._whole)

    @cached_property
    def design(self) -> Array:
        """The same as an array, units x coefficients."""
        return self.full.to_numpy()

    @cached_property
    def at(self) -> int:
        """The position of the tested coefficient."""
        return tested_column(self.full)


@dataclass(frozen=True, eq=False)
class Batch:
    """Pairs of one sender and receiver that are compared in the same patients.

    Attributes
    ----------
    patients
        The units with enough cells and known counts.
    sender, receiver
        Names of groups.
    pairs
        The pairs.
    """

    patients: Patients
    sender: str
    receiver: str
    pairs: Sequence[Pair]

    @property
    def question(self) -> AxisQuestion:
        """The question."""
        return self.patients.question

    @property
    def of_sender(self) -> "TermSide":
        """The senders' terms."""
        terms = [pair.ligand for pair in self.pairs]
        return self.question.term_side(self.sender, terms, self.patients)

    @property
    def of_receiver(self) -> "TermSide":
        """The receivers' terms."""
        terms = [pair.receptor for pair in self.pairs]
        return self.question.term_side(self.receiver, terms, self.patients)

    @cached_property
    def levels(self) -> dict[str, Array]:
        """Levels of each measure, pairs x kept units x sides; no supply without fractions."""
        sender, receiver = self.of_sender.levels, self.of_receiver.levels
        found = {"sender": sender, "receiver": receiver, "sum": sender + receiver}
        fraction = self.question.fractions.get(self.sender)
        if fraction is not None:
            found["supply"] = sender + fraction[self.patients.keep]
        return found


@dataclass(frozen=True, eq=False)
class TermSide:
    """Terms in one group of cells of some patients."""

    patients: Patients
    group: str
    terms: Sequence[Term]

    @cached_property
    def own(self) -> GroupCounts:
        """The counts of the group."""
        return self.patients.question.own[self.group]

    @cached_property
    def parts(self) -> list[tuple[str, ...]]:
        """All different parts of the terms."""
        return list(dict.fromkeys(part for term in self.terms for part in term.parts))

    @cached_property
    def counts(self) -> tuple[Array, Array]:
        """UMIs and ambient UMIs of the parts, parts x kept units x sides."""
        counts, ambient = part_counts(self.own, Term(tuple(self.parts)))
        return counts[:, self.patients.keep], ambient[:, self.patients.keep]

    @cached_property
    def part_levels(self) -> Array:
        """Log2 counts per million of the parts, without ambient RNA, parts x kept units x sides."""
        keep, own = self.patients.keep, self.own
        return log_cpm(without_ambient(*self.counts, own.is_limit[keep]), own.library[keep])

    @cached_property
    def levels(self) -> Array:
        """Levels of the terms, terms x kept units x sides: those of their weakest parts."""
        rows = [[self.parts.index(part) for part in term.parts] for term in self.terms]
        return np.array([self.part_levels[own].min(axis=0) for own in rows])

    @cached_property
    def problems(self) -> list[tuple[str, str]]:
        """The status and reason of each term that cannot be tested; ("", "") if it can."""
        found = {part: self._problem(i, part) for i, part in enumerate(self.parts)}
        return [
            next((found[part] for part in term.parts if found[part][0]), ("", ""))
            for term in self.terms
        ]

    @cached_property
    def ambient(self) -> list[str]:
        """The part of each term that ambient RNA may explain, in words; empty without one."""
        words = dict(zip(self.parts, self._ambient_words(), strict=True))
        return [
            next((words[part] for part in term.parts if words[part]), "") for term in self.terms
        ]

    def _problem(self, at: int, part: tuple[str, ...]) -> tuple[str, str]:
        name = " or ".join(part)
        counts, umi = self.counts[0][at], self.own.umi[self.patients.keep]
        if not counts.sum():
            return "no_counts", f"no UMI of {name} in {self.group}"
        depth = thinnest_depth(umi, self.patients.arm)
        arms, sizes = np.unique(self.patients.arm, return_counts=True)
        share = sizes.min() / sizes.sum() if len(arms) > 1 else 0.5
        rates = counts.sum(axis=1) / umi.sum(axis=1)
        expressing = np.quantile(rates, 1 - EXPRESSING * share)
        expected = depth * min(counts.sum() / umi.sum(), expressing)
        if expected < MIN_EXPECTED:
            few = " in most of them" if expressing < counts.sum() / umi.sum() else ""
            return (
                "too_few_counts",
                f"{counts.sum():.0f} UMIs of {name} in {self.group} of {counts.shape[0]} patients: "
                f"{expected:.1f} are expected of a patient{few}, {MIN_EXPECTED} are needed",
            )
        return "", ""

    def _ambient_words(self) -> list[str]:
        """Say of each part whether ambient RNA may explain its UMIs."""
        own, patients = self.own, self.patients
        contrast = patients.contrast
        (counts, ambient), keep = self.counts, patients.keep
        names = SIDES if contrast.has_sides else ("",)
        frames = [
            patients.units.assign(
                side=name or patients.units["arm"], **{IS_LIMIT: own.is_limit[keep][:, k]}
            )
            for k, name in enumerate(names)
        ]
        sides = pd.concat(frames, ignore_index=True)
        sides["weight"] = contrast.weights(sides)

        def flat(values: Array) -> Array:
            return values.swapaxes(-1, -2).reshape(*values.shape[:-2], -1)

        umi, ambient_umi = flat(own.umi[keep]), flat(own.ambient_umi[keep])
        rest, rest_ambient = umi - flat(counts).sum(axis=0), ambient_umi - flat(ambient).sum(axis=0)
        labels = np.array([*("|".join(part) for part in self.parts), "rest"])
        model = Model(
            population=self.group,
            counts=np.vstack([flat(counts), np.maximum(rest, 0)]),
            genes=labels,
            symbols=labels,
            design=patients.full,
            block=None,
            norm_factors=flat(own.library[keep]) / umi,
            sides=sides,
            ambient=np.vstack([flat(ambient), np.maximum(rest_ambient, 0)]),
            n_test=0,
            n_reference=0,
        )
        levels = unit_difference(self.part_levels)
        effect = effect_test(levels, patients.design, patients.at)
        marks = mark_ambient(
            model,
            np.append(effect.estimate, 0.0),
            max_ambient_share=patients.question.max_ambient_share,
        )
        return [
            f"ambient RNA may explain {' or '.join(part)} in {self.group} "
            f"({100 * share:.0f} % of its UMIs where it is higher)"
            if is_ambient
            else ""
            for part, is_ambient, share in zip(
                self.parts, marks["ambient"], marks["ambient_share"], strict=False
            )
        ]


def unit_difference(levels: Array) -> Array:
    """Return the value of each unit, features x units: with two sides, their difference."""
    return levels[..., 0] - levels[..., 1] if levels.shape[-1] == 2 else levels[..., 0]


def _make_batches(question: AxisQuestion) -> Iterator[Batch]:
    for sender, receiver, pairs in question.routes():
        own = question.own[sender], question.own[receiver]
        enough = [(each.n_cells >= question.min_cells).all(axis=1) for each in own]
        by_keep: dict[tuple[bool, ...], list[Pair]] = {}
        for pair in pairs:
            terms = pair.ligand, pair.receptor
            known = [
                np.isfinite(each.counts[each.rows(term.genes)]).all(axis=(0, 2))
                for each, term in zip(own, terms, strict=True)
            ]
            keep = enough[0] & enough[1] & known[0] & known[1]
            by_keep.setdefault(tuple(keep.tolist()), []).append(pair)
        for flags, chosen in by_keep.items():
            patients = question.patients(np.array(flags, dtype=bool))
            yield Batch(patients, sender, receiver, chosen)


def find_problems(batch: Batch) -> list[tuple[str, str]]:
    """Return the status and reason of each pair; ("", "") for those that can be tested."""
    found = []
    whole = _batch_problem(batch)
    for i, pair in enumerate(batch.pairs):
        missing = _missing_genes(batch, pair)
        if missing:
            found.append(("no_gene", f"no matrix has {', '.join(missing)}"))
        elif not pair.is_tested:
            found.append(("shown", REASONS["shown"]))
        elif whole[0]:
            found.append(whole)
        else:
            sides = batch.of_sender, batch.of_receiver
            status = next((s.problems[i] for s in sides if s.problems[i][0]), ("", ""))
            words = next((s.ambient[i] for s in sides if s.ambient[i]), "")
            found.append(status if status[0] or not words else ("ambient", words))
    return found


def _missing_genes(batch: Batch, pair: Pair) -> list[str]:
    """Return the genes of a pair that the matrices of no patient have."""
    own = batch.question.own
    return [
        gene
        for group, term in ((batch.sender, pair.ligand), (batch.receiver, pair.receptor))
        for gene, row in zip(term.genes, own[group].rows(term.genes), strict=True)
        if np.isnan(own[group].counts[row]).all() and own[group].counts[row].size
    ]


def _batch_problem(batch: Batch) -> tuple[str, str]:
    """Return the status and reason if the patients cannot be compared."""
    question = batch.question
    contrast = question.comparison.contrast
    for group in (batch.sender, batch.receiver):
        if len(question.units) and not question.own[group].n_cells.any():
            own = [p for p in question.groups.populations[group] if p not in (*LAMM_ROWS, group)]
            named = f" ({', '.join(own)})" if own else ""
            return "no_cells", f"no {group} cells{named} in these samples"
    problem = batch.patients.problem
    if not problem:
        return "", ""
    reason = contrast.reasons.get(problem, REASONS.get(problem, problem))
    if problem == "too_few_patients":
        reason = (
            f"fewer than {contrast.requirement} have {question.min_cells} {batch.sender} and "
            f"{question.min_cells} {batch.receiver} cells"
        )
    return problem, reason
