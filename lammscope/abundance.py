"""Abundance of cell populations: counts per sample, and tests with the patient as the unit."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import optimize, stats

from lammscope import linear
from lammscope.contrasts import Contrast
from lammscope.design import (
    MIN_PATIENTS,
    aliased_columns,
    comparison_units,
    design_matrix,
    independent_columns,
    permutation_floor,
    select_samples,
    used_sorts,
)
from lammscope.proportions import (
    LAMM_LEVELS,
    Measure,
    arm_means,
    families,
    unit_cells,
    unit_values,
)
from lammscope.sorts import Sorts, refused_denominators

MIN_MODERATED = 5  # populations: fewer say nothing about a common variance
SEPARABLE = 0.9  # above this share LAMM cells are the monocytic cells
MIN_EXPECTED = 2  # cells a sample on the thinnest side, if all sides had one proportion
ALPHA = 0.05
LAMM_ROWS = ("LAMM", *LAMM_LEVELS)
COLUMNS = [
    *("population", "denominator", "scale", "estimate", "se", "ci_low", "ci_high", "t", "df", "p"),
    *("fdr", "p_moderated", "fdr_moderated", "p_floor", "permutation_scheme", "mean_test"),
    *("mean_reference", "n_test", "n_reference", "detectable", "compositional", "status"),
    *("verdict", "notes"),
]


def count_cells(cells: pd.DataFrame, samples: pd.DataFrame, *, probability: float) -> pd.DataFrame:
    """Count cells per sample and population, zeros included.

    Parameters
    ----------
    cells
        `sample`, `population`, `lineage`, `lamm_positive`, `lamm_elevated` per cell.
    samples
        The sample table; every sample appears in the result, cells or not.
    probability
        A cell counts at a LAMM level where its probability reaches this.

    Returns
    -------
    DataFrame
        `sample`, `population`, `lineage`, `n_cells`, `partition`. LAMM is always there; the rows
        LAMM_positive and LAMM_elevated count the same cells at both levels (`partition` False).
    """
    pairs = cells[["population", "lineage"]].drop_duplicates("population").astype(str)
    lineages = dict(zip(pairs["population"], pairs["lineage"], strict=True))
    lineages = dict(sorted({**lineages, "LAMM": "monocytic"}.items()))
    names = sorted(samples["sample"])
    table = pd.crosstab(cells["sample"].astype(str), cells["population"].astype(str))
    table = table.reindex(index=names, columns=list(lineages), fill_value=0)
    for level in ("positive", "elevated"):
        called = cells.loc[cells[f"lamm_{level}"] >= probability, "sample"].value_counts()
        table[f"LAMM_{level}"] = called.reindex(names, fill_value=0)
    table = table.astype(int).reset_index(names="sample")
    long = table.melt(id_vars="sample", var_name="population", value_name="n_cells")
    long = long.sort_values(["sample", "population"], ignore_index=True)
    lineages |= dict.fromkeys(LAMM_LEVELS, "monocytic")
    long["lineage"] = long["population"].map(lineages)
    long["partition"] = ~long["population"].isin(LAMM_LEVELS)
    return long[["sample", "population", "lineage", "n_cells", "partition"]]


def test_abundance(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    contrast: Contrast,
    *,
    min_cells: int,
    exclude_pre_post: Sequence[str],
    max_exact: int,
    n_draws: int,
    sorts: Sorts,
) -> pd.DataFrame:
    """Test each population in each denominator.

    One value per patient (`between`), or one difference of test minus reference side (`paired`,
    `change`), in an ordinary linear model; its p is the p of the row. Moderated values stand
    beside.

    Parameters
    ----------
    counts
        From `count_cells`.
    samples
        The sample table.
    min_cells
        Samples with fewer cells of the denominator are dropped, and named in `notes`.
    exclude_pre_post
        Populations left out of the denominators where phases are compared. Their own rows are
        fractions of the denominator together with themselves.
    max_exact, n_draws
        As in `design.permutation_floor`.
    sorts
        As in `sorts.kept_lineages`. Fractions of what a sort removed are not tested.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`; rows by denominator, scale and population. Nothing that could not
        be tested has an estimate: `status` and `verdict` say why.
    """
    units = comparison_units(samples, contrast)
    wide = counts.pivot(index="sample", columns="population", values="n_cells")
    about = counts.drop_duplicates("population").set_index("population")
    excluded = set(exclude_pre_post) if _crosses_phases(units, samples, contrast) else set()
    labels = used_sorts(samples, select_samples(samples, contrast))
    refused = refused_denominators(labels, sorts=sorts)
    rows: list[dict[str, object]] = []
    partition: list[bool] = []
    for family in families(unit_cells(wide, units), about, excluded):
        whole = family[0].denominator
        removed = refused.get(
            about["lineage"][family[0].population] if whole == "parent" else whole
        )
        scales = ["log_ratio"] if family[0].ratio else ["logit", "arcsine"]
        for scale in scales:
            rows += (
                _refused_rows(family, units, contrast, scale, removed)
                if removed
                else _test_family(
                    family, units, contrast, scale, min_cells, max_exact=max_exact, n_draws=n_draws
                )
            )
            partition += [measure.partition for measure in family]
    return _with_fdr(pd.DataFrame(rows, columns=COLUMNS), np.array(partition))


test_abundance.__test__ = False  # type: ignore[attr-defined]  # the name is no test of pytest


def detectable_difference(se: float, df: float) -> float:
    """Difference that a two-sided t-test at 0.05 finds with power 0.80."""
    return se * _detectable_in_se(round(df, 6))


def _crosses_phases(units: pd.DataFrame, samples: pd.DataFrame, contrast: Contrast) -> bool:
    """Whether samples before and after infusion are compared, whatever column says so."""
    if contrast.compares_phases:
        return True
    phase = samples.set_index("sample")["phase"]
    if contrast.kind == "paired":
        sides = [units[f"samples_{side}"] for side in ("test", "reference")]
    else:
        sides = [units.loc[units["arm"] == arm, "samples"] for arm in ("test", "reference")]
    phases = [set(phase[[name for names in side for name in names]].dropna()) for side in sides]
    return bool(phases[0] and phases[1] and phases[0] != phases[1])


def _refused_rows(
    family: list[Measure], units: pd.DataFrame, contrast: Contrast, scale: str, removed: list[str]
) -> list[dict[str, object]]:
    """Rows of a denominator that a sort removed: no means either, they would mislead."""
    words = f"not tested: the sort {', '.join(removed)} removed what they would be counted against"
    row: dict[str, object] = dict.fromkeys(COLUMNS, np.nan)
    row |= {
        **_sizes(units, contrast),
        "scale": scale,
        "compositional": False,
        "status": "sorted_out",
        "verdict": words,
    }
    row |= {"notes": "", "permutation_scheme": ""}
    return [row | {"population": m.population, "denominator": m.denominator} for m in family]


def _test_family(
    family: list[Measure],
    units: pd.DataFrame,
    contrast: Contrast,
    scale: str,
    min_cells: int,
    *,
    max_exact: int,
    n_draws: int,
) -> list[dict[str, object]]:
    """Rows of one denominator and scale; measures that keep the same patients share a fit."""
    rows: dict[int, dict[str, object]] = {}
    groups: dict[tuple[bool, ...], list[int]] = {}
    for i, measure in enumerate(family):
        cells = measure.total + measure.count if measure.ratio else measure.total
        groups.setdefault(tuple((cells >= min_cells).all(axis=1).tolist()), []).append(i)
    for flags, indices in groups.items():
        keep = np.array(flags, dtype=bool)
        kept, measures = units[keep], [family[i] for i in indices]
        shared = _shared(
            kept, units[~keep], contrast, min_cells, max_exact=max_exact, n_draws=n_draws
        )
        design = design_matrix(kept, contrast.adjust)
        problem = _design_problem(kept, design, contrast)
        arm = kept["arm"].to_numpy()
        status = [_measure_problem(measure, keep, arm) or problem for measure in measures]
        values = np.array(
            [
                np.zeros(len(kept)) if untested else unit_values(measure, keep, scale)
                for measure, untested in zip(measures, status, strict=True)
            ]
        )
        tests = _fit(values, design, measures, status)
        for i, measure, test in zip(indices, measures, tests, strict=True):
            row: dict[str, object] = dict.fromkeys(COLUMNS, np.nan)
            row |= {"population": measure.population, "denominator": measure.denominator}
            row |= {"scale": scale, "compositional": measure.denominator == "all"} | shared
            row |= arm_means(measure, keep, kept["arm"].to_numpy()) | test
            rows[i] = row | {"verdict": _verdict(row, contrast)}
    return [rows[i] for i in range(len(family))]


def _shared(
    kept: pd.DataFrame,
    dropped: pd.DataFrame,
    contrast: Contrast,
    min_cells: int,
    *,
    max_exact: int,
    n_draws: int,
) -> dict[str, object]:
    """What every row on the same patients has in common."""
    sizes = _sizes(kept, contrast)
    result: dict[str, object] = {**sizes, "notes": "", "permutation_scheme": ""}
    if min(sizes.values()) > 0:
        floor, scheme = permutation_floor(kept, contrast, max_exact=max_exact, n_draws=n_draws)
        result |= {"p_floor": floor, "permutation_scheme": scheme}
    if len(dropped):
        names = {"test": contrast.test, "reference": contrast.reference, "pair": "pair"}
        listed = [f"{u} ({names[a]})" for u, a in zip(dropped["unit"], dropped["arm"], strict=True)]
        result["notes"] = f"under {min_cells} cells of the denominator: {', '.join(listed)}"
    return result


def _sizes(units: pd.DataFrame, contrast: Contrast) -> dict[str, int]:
    """Patients per arm, or pairs."""
    return {
        f"n_{arm}": len(units) if contrast.kind == "paired" else int((units["arm"] == arm).sum())
        for arm in ("test", "reference")
    }


def _measure_problem(measure: Measure, keep: np.ndarray, arm: np.ndarray) -> str:
    """Why a measure cannot be tested in the kept units, whose arms are given."""
    if len(keep) and measure.count[keep if keep.any() else slice(None)].sum() == 0:
        return "no_cells"
    count, total = measure.count[keep], measure.total[keep]
    among_monocytic = measure.denominator == "monocytic" and measure.population in LAMM_ROWS
    if among_monocytic and count.sum() > SEPARABLE * total.sum():
        return "not_separable"
    if not measure.ratio and measure.offset <= measure.share:  # it is all of its denominator
        return "no_variation"
    if not keep.any() or total.sum() == 0:
        return ""
    # what the thinnest side would hold if all shared one proportion: below it the pseudocount,
    # and so the depth of sequencing, decides the value
    depth = min(total[arm == name].mean(axis=0).min() for name in np.unique(arm))
    return "too_few_cells" if depth * count.sum() / total.sum() < MIN_EXPECTED else ""


def _design_problem(units: pd.DataFrame, design: pd.DataFrame, contrast: Contrast) -> str:
    arms = ["pair"] if contrast.kind == "paired" else ["test", "reference"]
    if min(int((units["arm"] == arm).sum()) for arm in arms) < MIN_PATIENTS:
        return "too_few_patients"
    if "arm" in aliased_columns(design):
        return "aliased"
    return "" if len(units) > independent_columns(design).shape[1] else "too_few_patients"


def _fit(
    values: np.ndarray, design: pd.DataFrame, measures: list[Measure], status: list[str]
) -> list[dict[str, object]]:
    """Ordinary and moderated tests of the arm (of the mean difference for pairs)."""
    results: list[dict[str, object]] = [{"status": s or "ok"} for s in status]
    rows = np.array([i for i, s in enumerate(status) if not s], dtype=int)
    if len(rows) == 0:
        return results
    full = independent_columns(design)
    at = full.columns.get_loc("arm") if "arm" in full else 0
    fit = linear.lm_fit(values[rows], full.to_numpy())
    test = linear.ordinary(fit)
    moderated = np.array([measures[i].partition for i in rows])
    p_moderated = np.full(len(rows), np.nan)
    if moderated.sum() >= MIN_MODERATED:
        part = linear.lm_fit(values[rows[moderated]], full.to_numpy())
        p_moderated[moderated] = linear.moderate(part, trend=False).p_value[:, at]
    for j, i in enumerate(rows):
        estimate, df = float(test.coefficients[j, at]), float(test.df_total[j])
        se = float(test.stdev_unscaled[j, at] * test.sigma[j])
        if not se > 1e-10 * max(1.0, float(np.abs(values[i]).max())):
            results[i]["status"] = "no_variation"
            continue
        half = stats.t.ppf(1 - ALPHA / 2, df) * se
        results[i] |= {"estimate": estimate, "se": se, "t": test.t[j, at], "df": df}
        results[i] |= {"ci_low": estimate - half, "ci_high": estimate + half}
        results[i] |= {"p": test.p_value[j, at], "p_moderated": p_moderated[j]}
        results[i]["detectable"] = detectable_difference(se, df)
    return results


def _with_fdr(table: pd.DataFrame, partition: np.ndarray) -> pd.DataFrame:
    """Add false discovery rates over the populations of each denominator and scale."""
    for name, target in (("p", "fdr"), ("p_moderated", "fdr_moderated")):
        tested = table[partition & table[name].notna()]
        for _, part in tested.groupby(["denominator", "scale"]):
            p = part[name].to_numpy(dtype=float)
            table.loc[part.index, target] = stats.false_discovery_control(p)
    return table


def _verdict(row: Mapping[str, object], contrast: Contrast) -> str:
    """The row in words; never more than its p and interval carry."""
    reasons = {
        "no_cells": "no such cells in these samples",
        "too_few_patients": f"fewer patients than {MIN_PATIENTS} in an arm or than the model needs",
        "aliased": "the arms cannot be separated from a covariate",
        "not_separable": f"over {100 * SEPARABLE:g} % of the monocytic cells are LAMM cells",
        "no_variation": "the patients do not differ",
        "too_few_cells": f"fewer than {MIN_EXPECTED} cells a sample are expected on one side",
    }
    if contrast.kind == "paired":
        reasons["too_few_patients"] = f"fewer than {MIN_PATIENTS} complete pairs"
    status = str(row["status"])
    if status != "ok":
        return f"not tested: {reasons[status]}"
    estimate, low, high, p = (float(row[k]) for k in ("estimate", "ci_low", "ci_high", "p"))  # type: ignore[arg-type]
    if p >= ALPHA:
        return f"no evidence; differences from {low:.2f} to {high:.2f} are compatible"
    if contrast.kind == "change":
        return f"{'higher' if estimate > 0 else 'lower'} change in {contrast.test}"
    return f"{'higher' if estimate > 0 else 'lower'} in {contrast.test}"


@lru_cache(maxsize=1024)
def _detectable_in_se(df: float) -> float:
    """Shift of a noncentral t with power 0.80, by Gauss quadrature over the standard error."""
    critical = stats.t.ppf(1 - ALPHA / 2, df)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    spread = critical * np.sqrt(stats.chi2.ppf((nodes + 1) / 2, df) / df)

    def missing_power(shift: float) -> float:
        power = stats.norm.cdf(shift - spread) + stats.norm.cdf(-shift - spread)
        return float(weights @ power / 2 - 0.8)

    return float(optimize.brentq(missing_power, 0.1, 1.5 * critical + 2))
