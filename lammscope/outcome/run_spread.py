"""What a plan needs of a finished run: spread of its patients, depth and errors of calls."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from lammscope.abundance.fractions import Measure
from lammscope.abundance.populations import Question
from lammscope.abundance.primary import primary_row
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import design_matrix, independent_columns
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.damage import named_damage, read_text
from lammscope.core.indexed import read_table
from lammscope.core.lamm_rows import is_at_level
from lammscope.core.names import LAMM, NOT_IMMUNE, Array
from lammscope.core.words import near
from lammscope.core.yaml_text import load_yaml
from lammscope.outcome.planning import CallErrors, Spread, counting_variance

CELL_COLUMNS = ["sample", "lineage", "lamm_positive", "lamm_macrophage_like"]
NEEDED = ("config.yaml", "design/samples.tsv", "abundance/counts.tsv", "annotation/cells.parquet")


@dataclass(frozen=True, eq=False)
class Run:
    """Tables of a finished run.

    Attributes
    ----------
    folder
        Its folder of results.
    config
        Its settings, with all defaults.
    samples, counts, cells
        `design/samples.tsv`, `abundance/counts.tsv`, and `CELL_COLUMNS` of the cells.
    contrasts
        Its contrasts by name.
    """

    folder: Path
    config: dict[str, Any]
    samples: pd.DataFrame
    counts: pd.DataFrame
    cells: pd.DataFrame
    contrasts: dict[str, Contrast]

    @property
    def denominator(self) -> str:
        """The primary denominator."""
        return str(self.config["primary"]["denominator"])


@dataclass(frozen=True)
class Basis:
    """What the plan of a contrast rests on; without a spread, `reason` says why there is none."""

    contrast: Contrast
    denominator: str
    sizes: tuple[int, ...]
    spread: Spread | None
    errors: CallErrors
    reason: str = ""


def read_run(folder: Path) -> Run:
    """Read the tables of a finished run.

    Raises
    ------
    ValueError
        If the folder has no finished run, with the file that is missing or damaged.
    """
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"{folder}: not the results of a finished run: `{missing[0]}` is missing; name the "
            "folder that holds `report.html`"
        )
    with named_damage(folder / "config.yaml", also=(yaml.YAMLError,)):
        config = load_yaml(read_text(folder / "config.yaml"))
    samples = read_sample_table(folder / "design" / "samples.tsv")
    contrasts = contrasts_from_config(config["contrasts"], samples, sorts=config["sorts"])
    cells = read_table(folder / "annotation" / "cells.parquet", columns=CELL_COLUMNS)
    counts = read_table(folder / "abundance" / "counts.tsv")
    by_name = {contrast.name: contrast for contrast in contrasts}
    return Run(folder, config, samples, counts, cells, by_name)


def run_basis(run: Run, name: str) -> Basis:
    """Return what the plan of a contrast rests on, for its LAMM cells on the logit scale.

    Raises
    ------
    ValueError
        If the run has no such contrast.
    """
    if name not in run.contrasts:
        made = ", ".join(run.contrasts) or "none"
        raise ValueError(
            f"{run.folder}: no contrast `{name}`{near(name, run.contrasts)} (its contrasts: {made})"
        )
    contrast = run.contrasts[name]
    question = Question(
        run.counts,
        Comparison(run.samples, contrast),
        min_cells=run.config["abundance"]["min_cells"],
        exclude_pre_post=run.config["abundance"]["exclude_pre_post"],
        sorts=run.config["sorts"],
    )
    table = read_table(run.folder / "abundance" / f"{name}.tsv")
    measure = question.measure(LAMM, run.denominator)
    row = primary_row(table, denominator=run.denominator)
    errors = call_errors(run, question.comparison.used["sample"])
    if measure is None or row["status"] != "ok":
        return Basis(contrast, run.denominator, (), None, errors, reason=str(row["reason"]))
    spread, sizes = _spread(measure, question, row)
    return Basis(contrast, run.denominator, sizes, spread, errors)


def call_errors(run: Run, samples: pd.Series) -> CallErrors:
    """Return how cells are called wrongly, by the probabilities of the calls themselves.

    The sum of probabilities is the expected number of LAMM cells among the cells of the
    denominator, in the samples of a contrast.
    """
    level = str(run.config["lamm"]["level"])
    cells = run.cells[run.cells["sample"].isin(samples)]
    if run.denominator == "monocytic":
        cells = cells[cells["lineage"] == "monocytic"]
    elif run.denominator == "immune":
        cells = cells[~cells["lineage"].isin(NOT_IMMUNE)]
    probability = cells[f"lamm_{level}"].fillna(0.0).to_numpy()
    called = is_at_level(cells, level, probability=run.config["lamm"]["probability"]).to_numpy()
    expected, others = probability.sum(), (1 - probability).sum()
    return CallErrors(
        sensitivity=float(probability[called].sum() / expected) if expected else 1.0,
        false_rate=float((1 - probability[called]).sum() / others) if others else 0.0,
    )


def _spread(
    measure: Measure, question: Question, row: dict[str, Any]
) -> tuple[Spread, tuple[int, ...]]:
    """Return the spread of the tested patients, and their number in each arm (or of pairs)."""
    contrast = question.contrast
    keep = measure.enough_cells(question.min_cells)
    units = question.units[keep]
    spreads = [float(row[name]) for name in ("sd_test", "sd_reference")]
    variances = np.square([sd for sd in spreads if np.isfinite(sd)])
    groups = contrast.groups(units)
    arms = [groups == arm for arm in ("test", "reference")]
    if len(variances) == 1:
        arms = [np.ones(len(units), dtype=bool)]
    sizes = tuple(int(arm.sum()) for arm in arms)
    counted = counting_variance(measure.count[keep], measure.total[keep]).sum(axis=1)
    counting = np.array([counted[arm].mean() for arm in arms])
    n_columns = independent_columns(design_matrix(units, contrast.adjust)).shape[1]
    spent = n_columns - len(sizes)
    spread = Spread(
        patients=tuple(np.maximum(variances - counting, 0.0).tolist()),
        counting=tuple(np.minimum(counting, variances).tolist()),
        df=tuple(max(n - 1 - spent * n / len(units), 1.0) for n in sizes),
        fraction=_reference_fraction(measure, keep, groups),
        cells=float(measure.total[keep].mean()),
        inflation=float(row["se"]) ** 2 / float((variances / np.array(sizes)).sum()),
        spent=spent,
    )
    return spread, sizes


def _reference_fraction(measure: Measure, keep: Array, groups: Array) -> float:
    """Return called cells as a fraction of the denominator: the reference arm's, or side's."""
    count, total = measure.count[keep], measure.total[keep]
    rows = groups == "reference" if (groups == "reference").any() else np.ones(len(count), bool)
    return float(count[rows, -1].sum() / total[rows, -1].sum())
