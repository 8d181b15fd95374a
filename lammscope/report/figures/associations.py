"""Scatter plots of LAMM measures against measures of T cells, across patients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lammscope.core.names import ALPHA
from lammscope.core.words import elided, p_words, population_words, readable, write_number
from lammscope.report.figures.points import free_of_overlap, name_points
from lammscope.report.figures.style import ARM_COLORS, INK, NEUTRAL, legend_dots, sentence_figure
from lammscope.report.figures.t_states import measure_words

N_PANELS = 6
N_COLUMNS = 3
MARGIN = 0.1  # of a panel, around its points
LETTER, LINE = 0.02, 0.055  # of names, as fractions of a panel
NAME_LENGTH = 12
KEYS = ["when", "compartment", "lamm_measure", "t_population", "t_measure", "t_kind"]
WHEN = {
    "pre": "both before infusion",
    "post": "both after infusion",
    "pre_then_post": "LAMM before, T cells after infusion",
    "pre_then_change": "LAMM before infusion, change of T cells",
}
SHARE = "CAR-T share"
LAMM_WORDS = {"LAMM_score": "mean LAMM score"}


@dataclass(frozen=True, eq=False)
class AssociationData:
    """Data from which associations across patients are drawn.

    Attributes
    ----------
    associations, patients
        `axis/associations.tsv` and `axis/associations_patients.tsv.gz`; may be empty.
    """

    associations: pd.DataFrame = field(default_factory=pd.DataFrame)
    patients: pd.DataFrame = field(default_factory=pd.DataFrame)


def association_scatter(data: AssociationData) -> Figure:
    """Draw the associations with the smallest p, a point per patient with its name.

    Points are what is correlated: ranks, less what arm and depth explain of them. Values as they
    are may seem to rise where they fall within each arm.
    """
    table = data.associations
    if table.empty:
        return sentence_figure("No LAMM cells and T cells to associate across patients.")
    tested = table[table["p"].notna()]
    if tested.empty:
        return sentence_figure(
            "No association of LAMM cells with T cells could be computed across patients: too few "
            "patients have both."
        )
    best = tested.sort_values(["p", *KEYS], kind="stable").head(N_PANELS)
    n_rows = -(-len(best) // N_COLUMNS)
    figure = Figure(figsize=(9.6, 0.85 + 2.95 * n_rows), layout="constrained")
    axes = np.ravel(figure.subplots(n_rows, N_COLUMNS, squeeze=False))
    for axis in axes[len(best) :]:
        axis.set_visible(False)
    arms: set[str] = set()
    for axis, row in zip(axes, best.to_dict("records"), strict=False):
        same = np.logical_and.reduce([data.patients[key].astype(str) == row[key] for key in KEYS])
        points = data.patients[same]
        arms |= set(points["arm"].dropna())
        _draw_panel(axis, points, row)
    n_small = int((tested["p"] < ALPHA).sum())
    figure.suptitle(
        f"The {len(best)} smallest p of {len(tested):,} correlations. {n_small:,} of them have "
        f"p < {ALPHA:g}; by chance, about {ALPHA * len(tested):.0f} would.",
        fontsize=8.5, color=INK, x=0.01, ha="left",
    )  # fmt: skip
    labels = {arm: readable(arm) for arm in ARM_COLORS if arm in arms}
    if labels:
        handles = legend_dots(labels, colors=ARM_COLORS)
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def adjusted_ranks(points: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the ranks of both values, less their fit to the arm and to the ranks of the depths.

    Their correlation is rho, as `stats.rank_correlation` computes it.
    """
    arms = pd.get_dummies(points["arm"].fillna("").astype(str)).to_numpy(dtype=float)
    names = ["lamm_log_umis", "t_log_umis"]
    design = np.column_stack([np.ones(len(points)), arms, points[names].rank()])
    ranks = points[["lamm_value", "t_value"]].rank().to_numpy(dtype=float)
    x, y = (ranks - design @ np.linalg.lstsq(design, ranks)[0]).T
    return x, y


def lamm_words(measure: object) -> str:
    """Return a LAMM measure in words; the supply of a ligand by a group of cells in two lines."""
    ligand, is_supply, sender = str(measure).partition("_supply of ")
    if is_supply:
        return f"supply, {readable(ligand)}, by\n{population_words(sender)}"
    return LAMM_WORDS.get(ligand, readable(ligand))


def _fractions(values: np.ndarray) -> np.ndarray:
    """Return values as fractions of the axis, with its margins."""
    low, high = values.min(), values.max()
    return np.asarray(MARGIN + (1 - 2 * MARGIN) * (values - low) / max(high - low, 1e-9))


def _draw_panel(axis: Axes, points: pd.DataFrame, row: Mapping[Any, Any]) -> None:
    x, y = adjusted_ranks(points)
    colors = points["arm"].map(ARM_COLORS).fillna(NEUTRAL).tolist()
    axis.scatter(x, y, s=24, c=colors, edgecolors="white", linewidths=0.6, zorder=3)
    names = points["patient"].astype(str).tolist()
    values = points[["lamm_value", "t_value"]].to_numpy(dtype=float)
    texts = [f"{name}: {a:.3g} and {b:.3g}" for name, (a, b) in zip(names, values, strict=True)]
    name_points(axis, x, y, texts)
    shown = [elided(name, NAME_LENGTH) for name in names]
    free = free_of_overlap(
        _fractions(x), _fractions(y), [len(name) for name in shown], letter=LETTER, line=LINE
    )
    for name, left, low, is_free in zip(shown, x, y, free, strict=True):
        if is_free:
            axis.annotate(
                name, (left, low), xytext=(3, 3), textcoords="offset points", fontsize=5.5,
                color=NEUTRAL,
            )  # fmt: skip
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.margins(MARGIN / (1 - 2 * MARGIN))
    axis.grid(color="#eceef0", linewidth=0.6)
    axis.set_xlabel(f"{lamm_words(row['lamm_measure'])}, adjusted rank")
    cells = {"T": "T cells", "CAR_T": "CAR-T cells"}
    name = cells.get(str(row["t_population"]), population_words(row["t_population"]))
    measure = SHARE if row["t_measure"] == "CAR_T" else measure_words(row["t_measure"])
    kind = "fraction of " if row["t_kind"] == "fraction" and measure != SHARE else ""
    axis.set_ylabel(f"{kind}{measure}, {name},\nadjusted rank")
    numbers = (write_number(float(row[key]), "number") for key in ("rho", "ci_low", "ci_high"))
    rho, low, high = numbers
    axis.set_title(
        f"{WHEN.get(str(row['when']), readable(row['when']))}; {readable(row['compartment'])}\n"
        f"rho {rho} ({low} to {high}), n = {row['n']:.0f}\n"
        f"{p_words(row['p'])}, permutation {write_number(float(row['p_permutation']), 'p')}, "
        f"FDR {write_number(float(row['fdr']), 'p')}",
        fontsize=7, weight="normal",
    )  # fmt: skip
