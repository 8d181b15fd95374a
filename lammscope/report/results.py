"""The tables of the report by name, and reading them from the files of a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any

import pandas as pd

from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import CellIndex, read_table
from lammscope.report.labels import SHEET_NAME, label_tables

Paths = Mapping[str, Any]  # by name: a file, or a list of files


@dataclass(frozen=True)
class ContrastResults:
    """The tables of one contrast; if it could not be tested, their rows have no estimate."""

    contrast: Contrast
    abundance: pd.DataFrame
    robustness: pd.DataFrame
    neighborhoods_by_type: pd.DataFrame
    expression: pd.DataFrame
    missing: pd.DataFrame
    gene_sets: pd.DataFrame
    pairs: pd.DataFrame


@dataclass(frozen=True)
class Results:
    """The tables of a run, named as in the catalog of result files (`docs/files.md`).

    Samples have their names in figures (`labels.label_tables`), but not in the tables of the axis.
    """

    samples: pd.DataFrame
    cells: pd.DataFrame
    counts: pd.DataFrame
    qc_summary: pd.DataFrame
    qc_verdicts: pd.DataFrame
    gene_overlap: pd.DataFrame
    clusters: pd.DataFrame
    population_genes: pd.DataFrame
    calls: pd.DataFrame
    lamm_genes: pd.DataFrame
    car: pd.DataFrame
    state_genes: pd.DataFrame
    missing_markers: pd.DataFrame
    integration_scores: pd.DataFrame
    lost_populations: pd.DataFrame
    lamm_kept: pd.DataFrame
    stability: pd.DataFrame
    audit: pd.DataFrame
    losses: pd.DataFrame
    calibration: pd.DataFrame
    lamm_results: pd.DataFrame
    hierarchy: pd.DataFrame
    axis_libraries: pd.DataFrame
    axis_terms: pd.DataFrame
    survival: pd.DataFrame
    survival_excluded: pd.DataFrame
    multiverse_specifications: pd.DataFrame
    multiverse_summary: pd.DataFrame
    multiverse_choices: pd.DataFrame
    replication: pd.DataFrame
    of_contrast: Mapping[str, ContrastResults]

    @property
    def findings(self) -> pd.DataFrame:
        """The rows of the audit, and those on populations that one side lacks."""
        return pd.concat([part for part in (self.audit, self.losses) if len(part)])

    @property
    def contrasts(self) -> dict[str, Contrast]:
        """The contrasts of the run by name."""
        return {name: results.contrast for name, results in self.of_contrast.items()}

    @property
    def sheet_samples(self) -> pd.DataFrame:
        """The sample table with the names of the sheet."""
        names = self.samples.get(SHEET_NAME, self.samples["sample"])
        return self.samples.assign(sample=names)


# Tables of rules that not every run has, by their group of figures; empty without them.
OPTIONAL_TABLES = {
    "survival": ("survival", "survival_excluded"),
    "multiverse": ("multiverse_specifications", "multiverse_summary", "multiverse_choices"),
    "replication": ("replication",),
}
OF_AXIS = ("axis_libraries", "axis_terms")  # the samples of contrasts are chosen by their names
COHORT_TABLES = [part.name for part in fields(Results) if part.name != "of_contrast"]
CONTRAST_TABLES = [part.name for part in fields(ContrastResults) if part.name != "contrast"]


def read_results(
    paths: Paths,
    index: CellIndex,
    *,
    contrasts: Mapping[str, Contrast],
    labels: Mapping[str, str],
) -> Results:
    """Read all tables of the report.

    Parameters
    ----------
    paths
        A file for each of `COHORT_TABLES` (`OPTIONAL_TABLES` may be missing), and for each of
        `CONTRAST_TABLES` a file per contrast, in the order of `contrasts`.
    index
        The cell index; the table `cells` must belong to it.
    contrasts
        The contrasts of the run by name.
    labels
        The name in figures of each sample.
    """
    special: dict[str, Callable[[str], pd.DataFrame]] = {
        "samples": read_sample_table,
        "cells": index.read_table,
    }
    optional = chain.from_iterable(OPTIONAL_TABLES.values())
    of_cohort = {name: pd.DataFrame() for name in optional if name not in paths}
    of_cohort |= {
        name: special.get(name, read_table)(paths[name])
        for name in COHORT_TABLES
        if name not in of_cohort
    }
    named = {name: table for name, table in of_cohort.items() if name not in OF_AXIS}
    of_cohort |= label_tables(named, labels)
    by_contrast = [map(read_table, paths[name]) for name in CONTRAST_TABLES]
    of_contrast = {
        contrast.name: ContrastResults(contrast, *tables)
        for contrast, *tables in zip(contrasts.values(), *by_contrast, strict=True)
    }
    return Results(**of_cohort, of_contrast=of_contrast)
