"""Cohorts of patients with known terms of ligand-receptor pairs: from real cells, or simulated.

Real: a patient is a draw of monocytes of one library and of T cells of another one of carpall,
thinned to a depth of its own; a difference is planted by halving UMIs in the other arm. Simulated:
UMIs of a few genes, from levels that differ between patients as they do between real ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.gene_set_cohorts import Cells, read_cells
from lammscope.axis.batches import AxisQuestion
from lammscope.axis.groups import Groups, make_groups
from lammscope.axis.question import Tables, ask
from lammscope.axis.strength import GroupCounts
from lammscope.axis.terms import count_terms
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.pairs import Pair, read_pairs
from lammscope.core.names import Array
from lammscope.core.resources import HOME
from lammscope.expression.models import Pseudobulks

PAIRS = HOME / "resources" / "interactions" / "lamm_t.tsv"
ROLES = {"myeloid": {"LAMM_positive": ["LAMM_positive"]}, "T": {"CD8": ["CD8_T"]}}
LINEAGES = {"LAMM": "monocytic", "Monocyte": "monocytic", "CD8_T": "T", "Others": "B"}
KINDS: dict[str, dict[str, Any]] = {
    "between": {"test": "non_responder", "reference": "responder", "where": {"phase": "pre"}},
    "paired": {"test": "post", "reference": "pre"},
    "change": {"test": "non_responder", "reference": "responder"},
    "trend": {"column": "marker", "where": {"phase": "pre"}},
}
SETTINGS: dict[str, Any] = {
    **{"min_cells": 10, "max_ambient_share": 0.25, "exclude_pre_post": ["B"], "sorts": {}},
}
N_GENES = 3000  # of real cells, the highest; beside those of the pairs
OTHERS = 1500  # immune cells of a sample beside LAMM and CD8 cells
LIGAND = ("PTGS1", "PTGS2", "PTGES")
RECEPTOR = ("PTGER2", "PTGER4")
# UMIs per 10,000 of tissue monocytes and macrophages (PTGS2 0.35 to 4.3) and T cells (PTGER4 0.2 to
# 3.2) of the sets of `axis_levels`; PTGES is at the level of fibroblasts, since monocytes have 0 to
# 0.07. The false receptor is a gene of monocytes alone.
LEVELS = {
    "LAMM_positive": {
        **{"PTGS1": 0.2, "PTGS2": 1.5, "PTGES": 0.5, "PTGER2": 0.7, "PTGER4": 0.5, "CSF1R": 1.5}
    },
    "CD8": {
        **{"PTGS1": 0.0, "PTGS2": 0.0, "PTGES": 0.0, "PTGER2": 0.6, "PTGER4": 1.0, "CSF1R": 0.0}
    },
}


@dataclass(frozen=True)
class Plan:
    """Patients, and how the test arm differs.

    Attributes
    ----------
    kind
        Of the contrast.
    depth, test_depth
        UMIs per cell, and the factor of the test arm.
    spread, test_spread
        Standard deviation of log2 levels between patients, and that of the test arm.
    n_lamm, lamm_factor
        Median LAMM cells, and the factor of the test arm.
    ambient, test_ambient
        Share of UMIs that are ambient RNA.
    level
        Factor of all levels.
    ligand, receptor
        Log2 fold changes that are planted in the test arm.
    """

    kind: str = "between"
    n_test: int = 8
    n_reference: int = 8
    depth: float = 3000.0
    test_depth: float = 1.0
    spread: float = 0.6
    test_spread: float = 0.6
    n_lamm: float = 100.0
    lamm_factor: float = 1.0
    n_cd8: float = 150.0
    ambient: float = 0.03
    test_ambient: float = 0.03
    level: float = 1.0
    ligand: float = 0.0
    receptor: float = 0.0


def axis_pairs(*names: str) -> list[Pair]:
    """Return the shipped pairs of these names; without any, all those of LAMM cells and T cells."""
    found = [p for p in read_pairs([PAIRS]) if "myeloid" in p.senders and "T" in p.receivers]
    return [pair for pair in found if not names or pair.name in names]


@dataclass(frozen=True)
class Bench:
    """A sheet, its contrast, the groups and pairs of cohorts of one plan."""

    plan: Plan
    pairs: Sequence[Pair]
    sheet: pd.DataFrame = field(init=False)
    comparison: Comparison = field(init=False)
    groups: Groups = field(init=False)

    def __post_init__(self) -> None:
        """Make the sheet."""
        arms = ["non_responder"] * self.plan.n_test + ["responder"] * self.plan.n_reference
        phases = ("pre", "post") if self.plan.kind in ("paired", "change") else ("pre",)
        rows = [
            {"sample": f"P{i:02d}_{phase}", "patient": f"P{i:02d}", "phase": phase, "response": arm}
            for i, arm in enumerate(arms)
            for phase in phases
        ]
        sheet = pd.DataFrame(rows)
        sheet["marker"] = sheet["patient"].str[1:].astype(float) * 7 % 11
        sheet["timepoint"], sheet["response_label"] = sheet["phase"], sheet["response"]
        sheet = sheet.assign(compartment="blood", sort="none", batch="b", counts="x.h5")
        entry = {"kind": self.plan.kind, **KINDS[self.plan.kind]}
        contrast = contrasts_from_config({self.plan.kind: entry}, sheet)[0]
        groups = make_groups(ROLES, LINEAGES, level="positive")
        object.__setattr__(self, "sheet", sheet)
        object.__setattr__(self, "comparison", Comparison(sheet, contrast))
        object.__setattr__(self, "groups", groups)

    @property
    def is_test(self) -> np.ndarray:
        """Which samples have the planted differences."""
        if self.plan.kind == "paired":
            return np.asarray(self.sheet["phase"] == "post")
        test = self.sheet["response"] == "non_responder"
        if self.plan.kind == "change":
            test &= self.sheet["phase"] == "post"
        return np.asarray(test)

    def by_unit(self, values: Array) -> Array:
        """Arrange values of samples (the last axis) by unit and side."""
        units = self.comparison.units
        place = {name: i for i, name in enumerate(self.sheet["sample"])}
        sides = [column for column in units if str(column).startswith("samples")]
        at = [[place[names[0]] for names in units[side]] for side in sides]
        return np.moveaxis(values[..., np.array(at)], -2, -1)

    def question(self, tables: Tables) -> AxisQuestion:
        """Ask about a cohort."""
        return ask(self.pairs, self.groups, tables, self.comparison, **SETTINGS)

    def count_table(self, n_lamm: np.ndarray, n_cd8: np.ndarray) -> pd.DataFrame:
        """Make the table of cells per population."""
        numbers = {"LAMM": n_lamm, "Monocyte": n_lamm + 20, "CD8_T": n_cd8}
        numbers["Others"] = np.full(len(n_lamm), OTHERS)
        parts = [
            pd.DataFrame(
                {
                    "sample": self.sheet["sample"],
                    "population": name,
                    "lineage": LINEAGES[name],
                    "n_cells": n.astype(int),
                    "partition": name != "LAMM",
                }
            )
            for name, n in numbers.items()
        ]
        return pd.concat(parts, ignore_index=True)


def simulate_cohort(bench: Bench, rng: np.random.Generator) -> AxisQuestion:
    """Draw a cohort. A patient's two samples share half of the variance."""
    plan, sheet, test = bench.plan, bench.sheet, bench.is_test
    n = len(sheet)
    arm = (sheet["response"] == "non_responder").to_numpy()
    patient = pd.factorize(sheet["patient"])[0]
    spread = np.where(arm, plan.test_spread, plan.spread)
    depth = plan.depth * np.where(test, plan.test_depth, 1) * rng.lognormal(0, 0.3, n)
    wrong = rng.lognormal(0, 0.3, n)  # the estimate of the contamination
    soup = np.where(test, plan.test_ambient, plan.ambient) * rng.lognormal(0, 0.3, n)
    n_lamm = plan.n_lamm * np.where(test, plan.lamm_factor, 1) * rng.lognormal(0, 0.5, n)
    cells = {
        "LAMM_positive": np.maximum(n_lamm, 2).round(),
        "CD8": np.maximum(plan.n_cd8 * rng.lognormal(0, 0.5, n), 2).round(),
    }
    genes = list(LEVELS["CD8"])
    levels = {}
    for group, own in LEVELS.items():
        noise = rng.normal(size=(patient.max() + 1, len(genes)))[patient]
        if len(noise) != patient.max() + 1:
            noise = (noise + rng.normal(size=noise.shape)) / np.sqrt(2)
        planted = np.zeros(len(genes))
        for at, gene in enumerate(genes):
            if gene in (LIGAND if group == "LAMM_positive" else RECEPTOR):
                planted[at] = plan.ligand if group == "LAMM_positive" else plan.receptor
        log2 = noise * spread[:, None] + np.outer(test, planted)
        levels[group] = plan.level * np.array(list(own.values())) * np.exp2(log2) / 1e4
    # a tenth of the cells are LAMM cells, so their genes are in the soup at a tenth of the level
    profile = 0.1 * levels["LAMM_positive"] + 0.9 * levels["CD8"]
    counted = {}
    for group, rates in levels.items():
        umi = cells[group] * depth
        expected = profile * (soup * umi)[:, None]
        count = rng.poisson(rates * ((1 - soup) * umi)[:, None]) + rng.poisson(expected)
        estimated = np.minimum(soup * wrong, 0.5)
        ambient = expected * (estimated / soup)[:, None]
        counted[group] = GroupCounts(
            tuple(genes),
            counts=bench.by_unit(count.T.astype(float)),
            ambient=bench.by_unit(np.minimum(ambient, count).T),
            library=bench.by_unit((1 - estimated) * umi),
            umi=bench.by_unit(umi),
            ambient_umi=bench.by_unit(estimated * umi),
            n_cells=bench.by_unit(cells[group]),
            is_limit=bench.by_unit(np.zeros(n)) > 0,
        )
    n_immune = OTHERS + 20 + cells["LAMM_positive"] + cells["CD8"]
    return AxisQuestion(
        pairs=bench.pairs,
        groups=bench.groups,
        own=counted,
        fractions={
            group: bench.by_unit(np.log2((number + 0.5) / (n_immune + 1.5)))
            for group, number in cells.items()
        },
        comparison=bench.comparison,
        min_cells=SETTINGS["min_cells"],
        max_ambient_share=SETTINGS["max_ambient_share"],
    )


def read_real(data: Path) -> dict[str, Cells]:
    """Return monocytes and T cells of the libraries of CAR-T patients."""
    found = read_cells(data)
    cells = {"LAMM": found["CAR-T monocytes"], "CD8_T": found["CAR-T T"]}
    level = sum(
        np.asarray(own.counts.sum(axis=0)).ravel() / own.counts.sum() for own in cells.values()
    )
    of_pairs = [gene for pair in axis_pairs() for gene in pair.genes]
    kept = np.isin(cells["LAMM"].genes, of_pairs) | (level >= np.sort(level)[-N_GENES])
    return {
        name: replace(
            own,
            counts=sparse.csr_array(own.counts[:, kept]),
            genes=own.genes[kept],
            ambient={donor: profile[kept] for donor, profile in own.ambient.items()},
        )
        for name, own in cells.items()
    }


def real_cohort(bench: Bench, cells: dict[str, Cells], rng: np.random.Generator) -> AxisQuestion:
    """Draw a cohort from real cells; a patient's samples are of the same libraries.

    A planted log2 fold change of 1 halves the UMIs of the genes in all samples but those of the
    test arm (binomial thinning, Gerard 2020, doi 10.1186/s12859-020-3450-9).
    """
    plan, sheet, test = bench.plan, bench.sheet, bench.is_test
    sizes = {"LAMM": (plan.n_lamm, plan.lamm_factor), "CD8_T": (plan.n_cd8, 1.0)}
    halved = {"LAMM": (LIGAND, plan.ligand), "CD8_T": (RECEPTOR, plan.receptor)}
    obs, counts, expected, numbers = [], [], [], {}
    for population, own in cells.items():
        donors = {p: rng.choice(np.unique(own.donor)) for p in sheet["patient"].unique()}
        median, factor = sizes[population]
        n_cells = median * np.where(test, factor, 1) * rng.lognormal(0, 0.5, len(sheet))
        numbers[population] = np.maximum(n_cells, 10).round().astype(int)
        names, fold = halved[population]
        at = np.isin(own.genes, names)
        for i, (sample, patient) in enumerate(zip(sheet["sample"], sheet["patient"], strict=True)):
            rows = rng.choice(np.flatnonzero(own.donor == donors[patient]), numbers[population][i])
            summed = np.asarray(own.counts[rows].sum(axis=0)).ravel().astype(int)
            kept = np.exp(-abs(rng.normal(0, 0.4))) * (plan.test_depth if test[i] else 1)
            summed = rng.binomial(summed, min(kept, 1.0))
            if fold and not test[i]:
                summed[at] = rng.binomial(summed[at], 2.0**-fold)
            profile = own.ambient[donors[patient]]
            share = plan.test_ambient if test[i] else plan.ambient
            mean = share * summed.sum() * profile / profile.sum()
            soup = rng.poisson(mean)
            expected.append(np.minimum(mean, summed + soup))
            counts.append(summed + soup)
            obs.append((sample, population, int(numbers[population][i]), False))
    sums = Pseudobulks(
        pd.DataFrame(obs, columns=["sample", "population", "n_cells", "ambient_is_limit"]),
        sparse.csr_array(np.array(counts)),
        sparse.csr_array(np.array(expected)),
        cells["LAMM"].genes,
        cells["LAMM"].genes,
    )
    genes = list(dict.fromkeys(gene for pair in bench.pairs for gene in pair.genes))
    has = set(cells["LAMM"].genes) & set(genes)
    libraries, terms = count_terms(
        sums,
        genes=genes,
        known=dict.fromkeys(sheet["sample"], has),
        groups=bench.groups.populations,
    )
    table = bench.count_table(numbers["LAMM"], numbers["CD8_T"])
    return bench.question(Tables(libraries, terms, table))
