"""Power of the abundance test to find doubled LAMM cells, compared with R's propeller.

    python -m benchmarks.abundance_power write FOLDER [--tables N]
    Rscript benchmarks/abundance_power.R FOLDER/counts.tsv FOLDER/p.tsv
    python -m benchmarks.abundance_power compare FOLDER/p.tsv

Each setting has N tables without a difference and N with LAMM cells doubled, of 8 against 8
patients. The threshold on p of each method is the 5 % quantile of its p in tables without a
difference, so that all methods have the same true false-positive rate.
"""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.count_tables import (
    LAMM_TYPE,
    Counts,
    Floats,
    TableSettings,
    contrast_of,
    draw_counts,
    lineages,
    run_many,
    sample_sheet,
)
from lammscope.stats import linear

ALPHA = 0.05
DOUBLED = float(np.log(2))
# The standard deviation of LAMM cells between samples of an arm is 0.29 (demo), 0.40 or 0.58
# (wide). The settings also vary the other populations, from which propeller borrows variance. In 20
# samples of blood with 24 populations (speckle's PBMC data) it estimated 4.6 prior degrees of
# freedom, as in `unequal`; with equal variances it estimates very many.
DEMO = TableSettings(n_test=8, n_reference=8, composition="demo", patient_sd=0.25, sample_sd=0.15)
LAMM = replace(DEMO, patient_sd=0.35, sample_sd=0.2)
WIDE = replace(DEMO, patient_sd=0.5, sample_sd=0.3)
KEPT = {  # settings in which the row has at least 95 % of the power of propeller
    "demo": DEMO,
    "others as LAMM": LAMM,
    "others a third": replace(LAMM, patient_sd=0.35 / 3, sample_sd=0.2 / 3, lamm_spread=3),
    "others unequal": replace(LAMM, spread_sd=0.37),
    "wide, 16 v 16": replace(WIDE, n_test=16, n_reference=16),
}
SETTINGS = KEPT | {
    "others three-fold": replace(LAMM, patient_sd=1.05, sample_sd=0.6, lamm_spread=1 / 3),
    "wide, others as LAMM": WIDE,
    "wide, others unequal": replace(WIDE, spread_sd=0.37),
}
ROWS = {"row p, all": ("LAMM", "all", "logit"), "row p, monocytic": ("LAMM", "monocytic", "logit")}
BLOCK = 100  # tables per random stream, so that the first ones do not depend on their number
# R's moderation without `robust` is our p_moderated (tests/golden/test_power.py compares them).
METHODS = {"p": "propeller", **{name: name for name in ROWS}, "p_not_robust": "p_moderated"}
RESAMPLES = 200
TABLE = ["setting", "planted", "table"]


def main() -> None:
    """Write the tables for R, or compare R's p with ours."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="write the tables for R")
    write.add_argument("folder", type=Path)
    write.add_argument("--tables", type=int, default=4000, help="tables of each kind")
    compare = commands.add_parser("compare", help="compare R's p with ours")
    compare.add_argument("p_values", type=Path)
    given = parser.parse_args()
    if given.command == "write":
        given.folder.mkdir(parents=True, exist_ok=True)
        written = tables_for_r(given.tables)
        written.to_csv(given.folder / "counts.tsv", sep="\t", index=False)
        return
    r = pd.read_csv(given.p_values, sep="\t")
    p = r.merge(
        our_p(SETTINGS, n_tables=int(r["table"].max()) + 1), on=TABLE, suffixes=("", "_ours")
    )
    print(found_shares(p).to_csv(sep="\t", float_format="%.3f"))


def draw(setting: str, *, planted: bool, n_tables: int) -> tuple[pd.DataFrame, Counts]:
    """Draw counts, tables x samples x populations; also returns the samples (before infusion)."""
    settings = replace(SETTINGS[setting], lamm_shift=DOUBLED if planted else 0.0)
    samples = sample_sheet(settings)
    pre = (samples["phase"] == "pre").to_numpy()
    blocks = []
    for block in range(-(-n_tables // BLOCK)):
        rng = np.random.default_rng((list(SETTINGS).index(setting), int(planted), block))
        blocks.append(draw_counts(settings, rng, n_cohorts=BLOCK)[:, pre])
    return samples[pre].reset_index(drop=True), np.concatenate(blocks)[:n_tables]


def tables_for_r(n_tables: int) -> pd.DataFrame:
    """Return all tables of all settings, one row per sample."""
    parts = []
    names = list(lineages(LAMM))
    for setting in SETTINGS:
        for planted in (False, True):
            samples, counts = draw(setting, planted=planted, n_tables=n_tables)
            part = pd.DataFrame(counts.reshape(-1, len(names)), columns=names)
            part.insert(0, "setting", setting)
            part.insert(1, "planted", int(planted))
            part.insert(2, "table", np.repeat(np.arange(n_tables), len(samples)))
            arm = np.where(samples["response"] == "non_responder", "test", "reference")
            part.insert(3, "arm", np.tile(arm, n_tables))
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def our_p(settings: Iterable[str], *, n_tables: int) -> pd.DataFrame:
    """Compute our p of LAMM cells for every table; `n_lamm` identifies the table."""
    parts = []
    lineage = lineages(LAMM)
    for setting in settings:
        for planted in (False, True):
            samples, counts = draw(setting, planted=planted, n_tables=n_tables)
            contrast = contrast_of("between", samples)
            lamm = list(lineage).index(LAMM_TYPE)
            of = {"kinds": ["p"], "populations": ["LAMM"]}
            rows = run_many(counts, samples, contrast, lineage, **of)["p"]
            part = pd.DataFrame({label: rows[key] for label, key in ROWS.items()})
            part["n_lamm"] = counts[:, :, lamm].sum(axis=1)
            part = part.assign(setting=setting, planted=int(planted), table=np.arange(n_tables))
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def moderated_p(counts: Counts, samples: pd.DataFrame, population: int, *, robust: bool) -> Floats:
    """Compute moderated p of a population among all cells (`p_moderated` if not robust)."""
    n = counts.transpose(0, 2, 1) + 0.5
    values = np.log(n / (n.sum(axis=1, keepdims=True) - n))
    test = samples["response"] == "non_responder"
    design = np.column_stack([np.ones(len(samples)), test])
    fits = (linear.lm_fit(y, design) for y in values)
    tests = (linear.moderate(fit, robust=robust, trend=False) for fit in fits)
    return np.array([tested.p_value[population, 1] for tested in tests])


def found_shares(p: pd.DataFrame) -> pd.DataFrame:
    """Compute the power of each method at a true false-positive rate of 5 %.

    Parameters
    ----------
    p
        One row per table: `setting`, `planted`, R's `p` (propeller) and the columns of `our_p`.

    Returns
    -------
    DataFrame
        One row per setting: the power of each method; `ratio` of the row of all cells to
        propeller, with its bootstrap standard error, and of `p_moderated` to propeller; then the
        shares of null and planted tables with an uncorrected p < 0.05, for propeller and the row.
    """
    rows = {}
    for setting, part in p.groupby("setting", sort=False):
        null, planted = (part.loc[part["planted"] == i, list(METHODS)] for i in (0, 1))
        row = _found(null.to_numpy(), planted.to_numpy())
        rng = np.random.default_rng(1)
        ratios = []
        for _ in range(RESAMPLES):
            draws = (
                part.sample(frac=1, replace=True, random_state=rng) for part in (null, planted)
            )
            found = _found(*(part.to_numpy() for part in draws))
            ratios.append(found[1] / found[0])
        result = dict(zip(METHODS.values(), row, strict=True))
        result |= {"ratio": row[1] / row[0], "se": np.std(ratios)}
        result["ratio, p_moderated"] = result["p_moderated"] / result["propeller"]
        for name in ("p", "row p, all"):
            result[f"null < 0.05, {METHODS[name]}"] = (null[name] < ALPHA).mean()
            result[f"planted < 0.05, {METHODS[name]}"] = (planted[name] < ALPHA).mean()
        rows[setting] = result
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("setting")


def _found(null: Floats, planted: Floats) -> Floats:
    """Compute the share of planted tables below the 5 % quantile of null tables, per method."""
    return (planted <= np.quantile(null, ALPHA, axis=0)).mean(axis=0)


if __name__ == "__main__":
    main()
