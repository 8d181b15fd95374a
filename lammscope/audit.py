"""The design audit: what the cohort can answer, said before anything is tested."""

from itertools import product
from math import comb, prod

import numpy as np
import pandas as pd
from scipy import stats

from lammscope.contrasts import Contrast, as_text
from lammscope.design import (
    MIN_PATIENTS,
    UNUSED,
    USED,
    aliased_columns,
    comparison_units,
    design_matrix,
    permutation_floor,
    select_samples,
)

COLUMNS = ["contrast", "item", "value", "status", "message"]
NO_COVARIATES = {"sample", "patient", "counts", "barcodes", "response", "response_label", "phase"}
OUTCOMES = {"pfs_days", "pfs_event", "os_days", "os_event"}


def audit_design(
    samples: pd.DataFrame, contrasts: list[Contrast], *, max_exact: int, n_draws: int
) -> pd.DataFrame:
    """Everything about the design that decides what can be concluded.

    Parameters
    ----------
    samples
        The sample table of `sheets.read_samples`.
    max_exact, n_draws
        As in `permutation_floor`.

    Returns
    -------
    DataFrame
        `contrast` ("cohort" for what concerns all), `item`, `value`, `status` (ok, note, warning,
        too_few_patients, aliased) and `message`, a plain sentence.
    """
    rows = _cohort_rows(samples)
    for contrast in contrasts:
        selection = select_samples(samples, contrast)
        units = comparison_units(samples, contrast)
        rows += [(contrast.name, *row) for row in _patient_rows(units, contrast)]
        rows += [(contrast.name, *row) for row in _unused_rows(selection)]
        rows += [(contrast.name, *row) for row in _rank_rows(units, contrast)]
        rows += [(contrast.name, *row) for row in _association_rows(samples, units, contrast)]
        if len(units):
            floor, scheme = permutation_floor(units, contrast, max_exact=max_exact, n_draws=n_draws)
            row = _floor_row(floor, scheme, units, contrast)
            rows.append((contrast.name, *row))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": "str"})


def exact_association(groups: pd.Series, values: pd.Series) -> tuple[float, str]:
    """p of no association between two groups and a covariate, and the test's name.

    Text: Fisher's exact test over all tables of the same margins (Freeman and Halton), by
    simulation (fixed seed) where there are too many tables. Numbers: Wilcoxon's rank sum, exact
    without ties in small groups.
    """
    if pd.api.types.is_numeric_dtype(values):
        first, second = (values[groups == g] for g in sorted(groups.unique()))
        return float(stats.mannwhitneyu(first, second).pvalue), "rank sum test"
    table = pd.crosstab(as_text(values), groups).to_numpy()
    sizes, n_first = table.sum(axis=1), int(table[:, 0].sum())
    if prod(int(size) + 1 for size in sizes) > 200_000:
        draws = np.random.default_rng(1).multivariate_hypergeometric(sizes, n_first, size=20_000)
        weights = _log_tables(sizes, draws)
        observed = _log_tables(sizes, table[:, 0])
        return float((1 + np.sum(weights <= observed + 1e-7)) / 20_001), "simulated Fisher test"
    every = np.array(list(product(*[range(int(size) + 1) for size in sizes])))
    every = every[every.sum(axis=1) == n_first]
    weights, observed = _log_tables(sizes, every), _log_tables(sizes, table[:, 0])
    log_p = weights[weights <= observed + 1e-7]
    total = np.log(float(comb(int(sizes.sum()), n_first)))
    return float(min(1.0, np.exp(log_p - total).sum())), "Fisher's exact test"


def _log_tables(sizes: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Log of the product of binomial coefficients, the weight of a two-column table."""
    log_factorial = np.concatenate([[0], np.cumsum(np.log(np.arange(1, sizes.max() + 1)))])
    parts = log_factorial[sizes] - log_factorial[first] - log_factorial[sizes - first]
    return np.asarray(parts.sum(axis=-1))


Row = tuple[str, object, str, str]


def _cohort_rows(samples: pd.DataFrame) -> list[tuple[str, str, object, str, str]]:
    patients = samples.drop_duplicates("patient").set_index("patient")
    response = patients["response"]
    rows: list[Row] = [
        ("patients", len(patients), "ok", f"{len(patients)} patients, {len(samples)} samples."),
    ]
    for arm in ("responder", "non_responder") if response.notna().any() else ():
        for phase in ("pre", "post"):
            part = samples[(samples["response"] == arm) & (samples["phase"] == phase)]
            n, words = part["patient"].nunique(), arm.replace("_", "-")
            message = f"{n} {words} patients with {len(part)} {phase}-infusion samples."
            rows.append((f"{arm}_{phase}", n, "ok" if n >= MIN_PATIENTS else "note", message))
    labels = patients.loc[response.isna() & patients["response_label"].notna(), "response_label"]
    if len(labels):
        counts = ", ".join(f"{v} ({n})" for v, n in as_text(labels).value_counts().items())
        message = f"{len(labels)} patients have a response outside both arms: {counts}."
        rows.append(("other_response", len(labels), "note", message))
    n_missing = int((response.isna() & patients["response_label"].isna()).sum())
    if n_missing:
        words = f"{n_missing} of {len(patients)} patients have no response label."
        rows.append(("no_response", n_missing, "note", words))
    both = samples.groupby("patient")["phase"].agg(lambda phase: {"pre", "post"} <= set(phase))
    message = f"{int(both.sum())} patients have samples before and after infusion."
    rows.append(("pre_and_post", int(both.sum()), "ok", message))
    labelled = patients[response.notna()]
    constant = samples.groupby("patient").nunique(dropna=False).max() <= 1
    if labelled["response"].nunique() == 2:
        for column in _covariates(samples):
            if constant.get(column, False):
                rows += _association(labelled["response"], labelled[column], "response")
    return [("cohort", *row) for row in rows]


def _covariates(samples: pd.DataFrame) -> list[str]:
    return [c for c in samples.columns if c not in NO_COVARIATES | OUTCOMES]


def _association(groups: pd.Series, values: pd.Series, between: str) -> list[Row]:
    """One row on the association of a covariate with the groups; none if it says nothing."""
    known = values.notna()
    groups, values, column = groups[known], values[known], str(values.name)
    numeric = pd.api.types.is_numeric_dtype(values)
    unique_text = not numeric and values.nunique() == len(values)
    if groups.nunique() < 2 or values.nunique() < 2 or unique_text:
        return []
    p, test = exact_association(groups, values)
    message = f"{column} and {between}: {test}, p = {p:.2g} ({len(values)} patients)."
    if p >= 0.05:
        return [(f"association_{column}", f"{p:.4g}", "ok", message)]
    message += f" They are associated; a difference may be due to {column}."
    return [(f"association_{column}", f"{p:.4g}", "warning", message)]


def _patient_rows(units: pd.DataFrame, contrast: Contrast) -> list[Row]:
    names = {"test": contrast.test, "reference": contrast.reference, "pair": "complete pairs"}
    rows: list[Row] = []
    for arm in ["pair"] if contrast.kind == "paired" else ["test", "reference"]:
        part = units[units["arm"] == arm]
        lists = [column for column in units if str(column).startswith("samples")]
        n, n_samples = len(part), sum(len(s) for column in lists for s in part[column])
        what = "complete pairs" if arm == "pair" else f"patients in {names[arm]}"
        if contrast.kind == "change":
            what += " with both phases"
        message = f"{n} {what} ({n_samples} samples)."
        if n < MIN_PATIENTS:
            message += f" At least {MIN_PATIENTS} are needed: nothing is tested."
        status = "ok" if n >= MIN_PATIENTS else "too_few_patients"
        rows.append((f"patients_{arm}" if arm != "pair" else "pairs", n, status, message))
    return rows


def _unused_rows(selection: pd.DataFrame) -> list[Row]:
    rows: list[Row] = []
    left_out = selection[selection["use"] != USED]
    for (use, reason), part in left_out.groupby(["use", "reason"], sort=True):
        expected = use == UNUSED and str(reason).endswith(("not asked for", "in neither arm"))
        listed = ", ".join(part["sample"]) if not expected else f"{len(part)} samples"
        message = f"Not used, {reason}: {listed}."
        rows.append((f"unused: {reason}", len(part), "ok" if expected else "note", message))
    return rows


def _rank_rows(units: pd.DataFrame, contrast: Contrast) -> list[Row]:
    arms = {"pair"} if contrast.kind == "paired" else {"test", "reference"}
    if set(units["arm"]) != arms:
        return []
    design = design_matrix(units, contrast.adjust)
    involved = aliased_columns(design)
    rank = int(np.linalg.matrix_rank(design.to_numpy()))
    value, columns = f"{rank} of {design.shape[1]}", ", ".join(map(str, design.columns))
    constant = [c for c in contrast.adjust if not any(str(n).split("[")[0] == c for n in design)]
    rows: list[Row] = [
        (f"constant_{c}", 1, "note", f"{c} does not vary here and is left out.") for c in constant
    ]
    if "arm" in involved:
        others = ", ".join(c for c in involved if c not in ("arm", "intercept"))
        message = f"{contrast.test} against {contrast.reference} cannot be separated from {others}."
        rows.append(("rank", value, "aliased", message))
    elif involved:
        message = f"{', '.join(involved)} determine each other; redundant columns are left out."
        rows.append(("rank", value, "note", message))
    else:
        rows.append(("rank", value, "ok", f"The model ({columns}) can be estimated."))
    if len(units) <= rank:
        message = f"{len(units)} patients for {rank} coefficients: nothing is left to judge noise."
        rows.append(("residual_df", len(units) - rank, "too_few_patients", message))
    return rows


def _association_rows(samples: pd.DataFrame, units: pd.DataFrame, contrast: Contrast) -> list[Row]:
    """Covariates and batch against the arms, or against the sides of pairs."""
    by_sample = samples.set_index("sample")
    skip = {contrast.column, *contrast.where, "timepoint", "day"}
    rows: list[Row] = []
    for column in (c for c in _covariates(samples) if c not in skip):
        if contrast.kind == "between":
            values = units["samples"].map(lambda names, c=column: by_sample.loc[names[0], c])
            rows += _association(units["arm"], values.rename(column), "arm")
        elif contrast.kind == "paired":
            sides = [
                as_text(by_sample.loc[[names[0] for names in units[f"samples_{side}"]], column])
                for side in ("test", "reference")
            ]
            levels = [set(side.dropna()) for side in sides]
            repeated = sum(map(len, levels)) < 2 * len(units)
            if all(levels) and not levels[0] & levels[1] and repeated:
                message = (
                    f"{contrast.test} and {contrast.reference} samples never share a value of "
                    f"{column}: their difference cannot be told from one of {column}."
                )
                rows.append((f"association_{column}", "apart", "warning", message))
    return rows


def _floor_row(floor: float, scheme: str, units: pd.DataFrame, contrast: Contrast) -> Row:
    n = len(units)
    if contrast.kind == "paired":
        what = f"{n} pairs: p of a permutation test cannot go below "
        what += f"2/{2**n} = {floor:.3g}." if "exact" in scheme else f"{floor:.2g}."
    else:
        sizes = [int((units["arm"] == arm).sum()) for arm in ("test", "reference")]
        what = f"{sizes[0]} against {sizes[1]} patients: p of a permutation test cannot go below "
        what += f"{floor:.3g} ({scheme})."
    if floor > 0.05:
        what += " So it cannot fall under 0.05, whatever the data show."
    return "p_floor", f"{floor:.6g}", "warning" if floor > 0.05 else "ok", what
