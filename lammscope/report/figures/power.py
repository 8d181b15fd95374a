"""Figure of a plan: power by number of patients, one panel per comparison."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lammscope.core.words import readable
from lammscope.report.figures.style import INK, NEUTRAL

SHADES = ("#9dbfd1", "#4d86a8", "#1f5a7d", "#0c2f45")  # from the difference next to 1 on
LIMIT = (0, (3, 2))  # dashes of the power at the upper limit of the spread


def power_figure(curve: pd.DataFrame, *, pairs: Mapping[str, bool], power: float) -> Figure:
    """Draw power by patients.

    Parameters
    ----------
    curve
        From `plans.plan_curve`, for one or several contrasts.
    pairs
        Whether `n` counts pairs, for each contrast; else patients per arm.
    power
        The wanted power, drawn as a line.
    """
    n_columns = min(3, len(pairs))
    n_rows = -(-len(pairs) // n_columns)
    figure = Figure(figsize=(3.0 * n_columns + 0.8, 0.8 + 2.6 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).ravel()
    ratios = list(dict.fromkeys(curve["ratio"]))
    places = np.linspace(0, len(SHADES) - 1, len(ratios)).round().astype(int)
    shades = {ratio: SHADES[place] for ratio, place in zip(ratios, places, strict=True)}
    for axis, name in zip(axes, pairs, strict=False):
        _panel(axis, curve[curve["contrast"] == name], shades=shades, power=power)
        axis.set_title(readable(name), color=INK)
        axis.set_xlabel("Pairs" if pairs[name] else "Patients per arm")
    for axis in axes[len(pairs) :]:
        axis.set_visible(False)
    axes[0].set_ylabel("Power")
    lines = [Line2D([], [], color=shades[r], label=f"{r:g}") for r in ratios]
    if not np.allclose(curve["power"], curve["power_upper"]):
        lines.append(Line2D([], [], color=NEUTRAL, linestyle=LIMIT, label="at the upper limit"))
    figure.legend(
        handles=lines,
        title="Odds ratio of LAMM cells",
        loc="outside lower center",
        ncols=len(lines),
    )
    return figure


def _panel(axis: Axes, curve: pd.DataFrame, *, shades: Mapping[float, str], power: float) -> None:
    for ratio, color in shades.items():
        rows = curve[curve["ratio"] == ratio]
        axis.plot(rows["n"], rows["power"], color=color, linewidth=1.4)
        if not np.allclose(rows["power"], rows["power_upper"]):
            axis.plot(rows["n"], rows["power_upper"], color=color, linewidth=1, linestyle=LIMIT)
    axis.axhline(power, color=NEUTRAL, linewidth=0.7, linestyle=":")
    axis.set_ylim(0, 1.02)
    axis.set_xlim(left=0)
