"""Plan the next cohort: how many patients a difference in LAMM cells needs.

`python -m lammscope.plan RESULTS` takes how patients vary, the cells of a sample and the errors of
calls from a finished run. Without a run, give them: `python -m lammscope.plan --kind between --sd
0.6 0.6 --fraction 0.2 --cells 1000`. It prints a table, and writes the tables `plan.tsv` and
`power.tsv` and the figure `power` (PNG and PDF).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context

from lammscope.core.indexed import write_table
from lammscope.core.names import ALPHA, POWER
from lammscope.core.words import counted
from lammscope.outcome.planning import CONFIDENCE, CallErrors, Spread
from lammscope.outcome.plans import Plan, plan_curve, plan_table
from lammscope.outcome.run_spread import Basis, read_run, run_basis
from lammscope.report.figures.power import power_figure
from lammscope.report.figures.style import STYLE, save_figure

RATIOS = (1.5, 2.0, 3.0, 4.0)
ARMS_OF_KIND = {"between": 2, "paired": 1, "change": 2}
DPI = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        _check(options)
        plans, about = _plans_of_run(options) if options.results else ([_given(options)], [])
        tables = [plan_table(plan, ratios=options.ratio, power=options.power) for plan in plans]
        print("\n".join(about), end="\n" * bool(about))
        for plan, table in zip(plans, tables, strict=True):
            print(_text(plan, table))
        if plans:
            _write(plans, tables, options)
    except (ValueError, OSError) as error:
        print(f"plan: {error}", file=sys.stderr)
        return 1
    return 0 if plans else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lammscope.plan", description=__doc__)
    add = parser.add_argument
    add("results", type=Path, nargs="?", help="folder of results of a finished run")
    add("--contrast", nargs="+", help="contrasts of the run (default: all)")
    add("--ratio", type=float, nargs="+", default=RATIOS, help="odds ratios of LAMM cells")
    add("--power", type=float, default=POWER, help="wanted power (default: %(default)s)")
    add("--cells", type=float, help="cells of the denominator in a sample (default: the run's)")
    add("--arms", type=float, default=1.0, help="test patients per reference patient")
    add("--output", type=Path, default=Path("plan"), help="folder to write (default: plan)")
    own = parser.add_argument_group("without a run")
    add = own.add_argument
    add("--kind", choices=ARMS_OF_KIND, help="kind of contrast")
    add("--sd", type=float, nargs="+", help="standard deviation between patients, in log odds")
    add("--fraction", type=float, help="LAMM cells called in the reference, as a fraction")
    add("--sensitivity", type=float, help="share of LAMM cells that is called (default: 1)")
    add("--false-rate", type=float, help="share of other cells that is called (default: 0)")
    return parser


def _check(options: argparse.Namespace) -> None:
    """Refuse options outside their limits, or that do not belong together."""
    own = {"--kind": options.kind, "--sd": options.sd, "--fraction": options.fraction}
    if options.results:
        given = [name for name, value in own.items() if value is not None]
        if given:
            raise ValueError(f"{given[0]} is for plans without a run: leave out {options.results}")
    elif missing := [name for name, value in own.items() if value is None]:
        raise ValueError(f"{missing[0]} is missing: give it, or the results of a finished run")
    elif len(options.sd) not in (1, ARMS_OF_KIND[options.kind]):
        raise ValueError(
            f"--sd: {len(options.sd)} values for {counted(ARMS_OF_KIND[options.kind], 'arms')}"
        )
    limits = {
        "--power must lie between 0.05 and 1": ALPHA < options.power < 1,
        "--ratio must be above 0 and not 1": all(r > 0 and r != 1 for r in options.ratio),
        "--arms must be above 0": options.arms > 0,
        "--cells must be at least 1": options.cells is None or options.cells >= 1,
        "--sd must be above 0": all(sd > 0 for sd in options.sd or []),
        "--fraction must lie between 0 and 1": options.fraction is None or 0 < options.fraction < 1,
        "--sensitivity must be above 0 and at most 1": options.sensitivity is None
        or 0 < options.sensitivity <= 1,
        "--false-rate must be at least 0 and below 1": 0 <= (options.false_rate or 0) < 1,
    }
    for message, kept in limits.items():
        if not kept:
            raise ValueError(message)


def _plans_of_run(options: argparse.Namespace) -> tuple[list[Plan], list[str]]:
    """Return a plan for each contrast that was tested, and what they rest on in words."""
    run = read_run(options.results)
    plans, about = [], []
    for name in options.contrast or list(run.contrasts):
        basis = run_basis(run, name)
        about += _about(basis)
        if basis.spread is None:
            continue
        spread, errors = basis.spread, basis.errors
        if options.cells:
            spread = spread.with_cells(options.cells)
        errors = CallErrors(
            errors.sensitivity if options.sensitivity is None else options.sensitivity,
            errors.false_rate if options.false_rate is None else options.false_rate,
        )
        plans.append(Plan(name, spread, errors, options.arms, basis.contrast.ratio()))
    if not run.contrasts:
        about.append(f"{options.results}: no contrasts, so there is nothing to plan from")
    return plans, about


def _given(options: argparse.Namespace) -> Plan:
    """Return the plan of spreads that were given."""
    n_arms = ARMS_OF_KIND[options.kind]
    sds = options.sd * (n_arms if len(options.sd) == 1 else 1)
    counting = 0.0
    if options.cells:
        once = 1 / options.fraction + 1 / (1 - options.fraction)
        counting = once / options.cells * (1 if options.kind == "between" else 2)
    spread = Spread(
        patients=tuple(sd**2 for sd in sds),
        counting=(counting,) * n_arms,
        df=(np.inf,) * n_arms,
        fraction=options.fraction,
        cells=options.cells or np.nan,
    )
    errors = CallErrors(
        1.0 if options.sensitivity is None else options.sensitivity, options.false_rate or 0.0
    )
    return Plan(options.kind, spread, errors, options.arms)


def _about(basis: Basis) -> list[str]:
    """Say what the plan of a contrast of a run rests on."""
    contrast, spread = basis.contrast, basis.spread
    whole = f"{basis.denominator} cells" if basis.denominator != "all" else "cells"
    if spread is None:
        return [f"{contrast.name}: no plan, since LAMM cells were not tested: {basis.reason}"]
    sizes = contrast.patients(basis.sizes[0], basis.sizes[-1])
    sds = [np.sqrt(a + b) for a, b in zip(spread.patients, spread.counting, strict=True)]
    own = [np.sqrt(a) for a in spread.patients]
    return [
        f"{contrast.name}: from {sizes}. Standard deviation of log odds: "
        f"{' and '.join(f'{sd:.2f}' for sd in sds)} (without counting error "
        f"{' and '.join(f'{sd:.2f}' for sd in own)}); {spread.cells:.0f} {whole} in a sample, on "
        f"average; calls find {100 * basis.errors.sensitivity:.3g} % of the LAMM cells and "
        f"{100 * basis.errors.false_rate:.2g} % of the others, by their own probabilities."
    ]


def _text(plan: Plan, table: pd.DataFrame) -> str:
    """Return the table of a plan as text."""
    pairs = len(plan.spread.patients) == 1
    unit = "pairs" if pairs else "patients (test + reference)"
    known = np.isinf(plan.spread.df).all()
    heading = [plan.ratio_name, "of called cells", unit]
    heading += [] if known else [f"at the spread's {100 * CONFIDENCE:g} % limit"]
    lines = [heading]
    for row in table.to_dict("records"):
        cells = [f"{row['ratio']:g}", f"{row['ratio_called']:.2f}"]
        for ending in ("",) if known else ("", "_upper"):
            n_test, n_reference = row[f"n_test{ending}"], row[f"n_reference{ending}"]
            missing = pd.isna(n_test)
            words = f"{n_test}" if pairs else f"{n_test} + {n_reference}"
            cells.append(str(row["reason"]) if missing else words)
        lines.append(cells)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in lines]
    wanted = float(table["power"].iloc[0])
    power = f"{100 * wanted:g} % power at two-sided p < {ALPHA:g}"
    return "\n".join([f"\n{plan.contrast}: for {power}", *(f"  {row}" for row in rows)])


def _write(
    plans: Sequence[Plan],
    tables: Sequence[pd.DataFrame],
    options: argparse.Namespace,
) -> None:
    """Write both tables and the figure, and print where they are."""
    curves = [plan_curve(plan, ratios=options.ratio) for plan in plans]
    write_table(pd.concat(tables, ignore_index=True), options.output / "plan.tsv")
    curve = pd.concat(curves, ignore_index=True)
    write_table(curve, options.output / "power.tsv")
    pairs = {plan.contrast: len(plan.spread.patients) == 1 for plan in plans}
    with rc_context(STYLE):
        figure = power_figure(curve, pairs=pairs, power=options.power)
    save_figure(figure, options.output / "power", dpi=DPI)
    print(f"\n{counted(4, 'files')} in {options.output}: plan.tsv, power.tsv, power.png, power.pdf")


if __name__ == "__main__":
    sys.exit(main())
