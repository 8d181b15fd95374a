"""What the methods text is written from: the config, and what a run did with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.core.names import LAMM, PHASES, PRIMARY_SCALE
from lammscope.report.results import Results

# Columns of the sample sheet that take the place of the config in a sample or a channel.
OWN_LIMITS = ("min_counts", "min_genes", "max_pct_mt", "max_pct_hb")
OWN_RATES = ("expected_cells", "doublet_rate")
ANALYSES = (
    *("scale", "denominator", "level", "score", "expected", "corrected", "threshold", "adjust"),
    "leave_one_out",
)
CALIBRATED = ("abundance", "genes")


@dataclass(frozen=True)
class Facts:
    """A run, as far as its methods depend on it.

    Attributes
    ----------
    config
        The resolved config.
    contrasts
        The contrasts by name.
    n_samples, n_patients, n_batches
        Of the cohort.
    timepoints
        The time points before (`pre`) and after (`post`) infusion that occur.
    embedding
        The integration method in use, or `none`.
    compared
        The methods whose embeddings were computed.
    own
        Columns of the sample sheet that replace values of the config, with the number of samples
        that have one.
    schemes
        What was permuted for the primary population, by contrast; without those that were not
        tested.
    endpoints
        The endpoints of survival, the pre-specified one first; empty without follow-up.
    n_specifications
        Of the multiverse; 0 if there is none.
    is_replication
        Whether the primary result of a first cohort was tested.
    sorts
        Labels of sorting in the sheet.
    analyses
        The other analyses of LAMM cells that gave a result, as in the tables of robustness.
    calibrated
        Whether calibration was checked for `abundance` and for `genes`.
    crosses_phases
        Whether a contrast compares cells of both phases.
    has_incomplete
        Whether patients with only one of two sides entered a test.
    versions
        Versions of the software by name.
    """

    config: Mapping[str, Any]
    contrasts: Mapping[str, Contrast] = field(default_factory=dict)
    n_samples: int = 0
    n_patients: int = 0
    n_batches: int = 1
    timepoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    embedding: str = "none"
    compared: tuple[str, ...] = ("none",)
    own: Mapping[str, int] = field(default_factory=dict)
    schemes: Mapping[str, str] = field(default_factory=dict)
    endpoints: tuple[str, ...] = ()
    n_specifications: int = 0
    is_replication: bool = False
    sorts: tuple[str, ...] = ()
    analyses: tuple[str, ...] = ANALYSES
    calibrated: tuple[str, ...] = CALIBRATED
    crosses_phases: bool = True
    has_incomplete: bool = True
    versions: Mapping[str, str] = field(default_factory=dict)


def facts_of(results: Results, *, config: Mapping[str, Any], versions: Mapping[str, str]) -> Facts:
    """Gather what the methods text needs from the tables of a run."""
    samples, scores = results.samples, results.integration_scores
    own = {
        name: samples[name].notna().sum() for name in (*OWN_LIMITS, *OWN_RATES) if name in samples
    }
    endpoints = results.survival["endpoint"] if len(results.survival) else ()
    return Facts(
        config=config,
        contrasts=results.contrasts,
        n_samples=len(samples),
        n_patients=int(samples["patient"].nunique()),
        timepoints={
            phase: tuple(sorted(set(samples.loc[samples["phase"] == phase, "timepoint"].map(str))))
            for phase in PHASES
        },
        n_batches=int(scores["n_batches"].iloc[0]),
        embedding=str(scores.loc[scores["used"], "method"].iloc[0]),
        compared=tuple(map(str, scores["method"])),
        own={name: int(n) for name, n in own.items() if n},
        schemes={
            name: _scheme(table.abundance, denominator=config["primary"]["denominator"])
            for name, table in results.of_contrast.items()
            if table.abundance["p"].notna().any()
        },
        endpoints=tuple(dict.fromkeys(map(str, endpoints))),
        n_specifications=len(results.multiverse_specifications),
        is_replication=not results.replication.empty,
        sorts=tuple(sorted(set(samples["sort"].dropna().map(str)))) if "sort" in samples else (),
        analyses=_analyses(results),
        calibrated=_calibrated(results.calibration),
        crosses_phases=any(
            Comparison(results.sheet_samples, contrast).crosses_phases
            for contrast in results.contrasts.values()
        ),
        has_incomplete=any(
            "p_incomplete" in own.abundance and own.abundance["p_incomplete"].notna().any()
            for own in results.of_contrast.values()
        ),
        versions=versions,
    )


def _scheme(abundance: pd.DataFrame, *, denominator: str) -> str:
    """Return what was permuted for LAMM cells in the primary denominator; empty if not known."""
    rows = abundance[
        (abundance["population"] == LAMM)
        & (abundance["denominator"] == denominator)
        & (abundance["scale"] == PRIMARY_SCALE)
    ]
    known = rows["permutation_scheme"].dropna().astype(str)
    return known.iloc[0] if len(known) else ""


def _analyses(results: Results) -> tuple[str, ...]:
    """Return the other analyses that gave a result in some contrast."""
    tables = [own.robustness for own in results.of_contrast.values() if len(own.robustness)]
    made = {name for table in tables for name in table.loc[table["p"].notna(), "analysis"]}
    return tuple(name for name in ANALYSES if name in made)


def _calibrated(calibration: pd.DataFrame) -> tuple[str, ...]:
    """Return which tests were made in cohorts or under labels without a difference."""
    if calibration.empty:
        return ()
    made = calibration.loc[calibration["n_null"] > 0, "test"].astype(str)
    is_genes = made.str.startswith("genes")
    found = {"abundance": (~is_genes).any(), "genes": is_genes.any()}
    return tuple(name for name in CALIBRATED if found[name])


def number(value: float) -> str:
    """Write a setting as a person would: `2,000`, `0.9`, `15`."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def listing(names: Iterable[object], last: str = "and") -> str:
    """Join names as a sentence does: `A, B and C`."""
    *first, end = [str(name) for name in names] or ["none"]
    return f"{', '.join(first)} {last} {end}" if first else end


def file_name(path: str) -> str:
    """Return the name of a file without its folders, which say nothing in a paper."""
    return path.replace("\\", "/").rpartition("/")[2]
