"""Associations of LAMM measures with T-cell measures across patients.

One value per patient: within a phase, and from before infusion to after it. Correlations are of
ranks, adjusted for the arm and for sequencing depth (`stats.rank_correlation`). They say which
values go together, not what causes what.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.comparisons import MIN_EXPECTED
from lammscope.abundance.fractions import OFFSET
from lammscope.axis.t_states import CAR_T, FRACTION, MEAN, T
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.selection import nearest_to_infusion
from lammscope.cohort.sorts import Sorts, sorted_samples
from lammscope.core.names import ALPHA, LAMM_LEVELS, LAMM_SCORE, NOT_IMMUNE, PHASES, Array
from lammscope.core.words import counted, write_number
from lammscope.stats.multiplicity import benjamini_hochberg
from lammscope.stats.rank_correlation import MIN_DF, rank_correlation

T_POPULATIONS = (T, CAR_T)
PRE, POST = PHASES
LATER, CHANGE = "pre_then_post", "pre_then_change"
WHEN = {PRE: (PRE, PRE), POST: (POST, POST), LATER: (PRE, POST), CHANGE: (PRE, POST)}
LAMM_KEYS = ["lamm_measure"]
T_KEYS = ["t_population", "t_measure"]
KEYS = ["when", "compartment"]
COLUMNS = [
    *(*KEYS, *LAMM_KEYS, *T_KEYS, "t_kind", "rho", "ci_low", "ci_high", "p", "p_permutation"),
    *("p_floor", "fdr", "n", "n_covariates", "status", "reason", "words"),
]
PATIENT_COLUMNS = [
    *(*KEYS, "patient", "arm", *LAMM_KEYS, "lamm_value", *T_KEYS, "t_kind", "t_value"),
    *("lamm_log_umis", "t_log_umis"),
]
TOO_RARE = f"fewer than {MIN_EXPECTED} such cells per patient"
NO_VARIATION = "the patients do not differ, or the covariates explain all differences"


@dataclass(frozen=True)
class Cohort:
    """What associations are computed from.

    Attributes
    ----------
    samples
        The sample table.
    counts, scores
        From `abundance.counts`.
    supply
        A table of measures of senders, such as the PGE2 supply; may have no rows.
    measures
        Measures of T cells.
    quality
        `sample` and `median_counts`.
    timepoints
        Time points by phase, in the order of the config.
    sorts
        As in `sorts.kept_lineages`. Sorted libraries are left out.
    """

    samples: pd.DataFrame
    counts: pd.DataFrame
    scores: pd.DataFrame
    supply: pd.DataFrame
    measures: pd.DataFrame
    quality: pd.DataFrame
    timepoints: Mapping[str, Sequence[str]]
    sorts: Sorts


def test_associations(
    cohort: Cohort, *, min_cells: Mapping[str, int], permutations: Permutations
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correlate each LAMM measure with each measure of T cells and of CAR-T cells.

    Parameters
    ----------
    cohort
        Samples and measures.
    min_cells
        `lamm`: minimum immune cells (for the score: monocytic cells) of a patient; `t`: minimum
        cells of a T population.
    permutations
        Of the patients.

    Returns
    -------
    associations
        The columns `COLUMNS`. `when`: `pre`, `post`; `pre_then_post` (LAMM measure before infusion,
        T measure after it), `pre_then_change` (its change from before to after). Rates of false
        discovery are over all rows. Rows that could not be computed have `status` and `reason`.
    patients
        The values behind each row, the columns `PATIENT_COLUMNS`.
    """
    lamm = _patient_values(_lamm_measures(cohort), cohort, min_cells=min_cells["lamm"])
    own = cohort.measures[cohort.measures["population"].isin(T_POPULATIONS)]
    t_cells = _patient_values(own, cohort, min_cells=min_cells["t"])
    rows: list[dict[str, Any]] = []
    tables = []
    for compartment in sorted(lamm["compartment"].unique()):
        in_place = [values[values["compartment"] == compartment] for values in (lamm, t_cells)]
        for when, (first, second) in WHEN.items():
            ours = in_place[0][in_place[0]["phase"] == first]
            theirs = in_place[1][in_place[1]["phase"] == second]
            if when == CHANGE:
                theirs = _changes(in_place[1][in_place[1]["phase"] == first], theirs)
            joined = _join(ours, theirs, cohort.samples)
            about = {"when": when, "compartment": compartment}
            tables.append(joined.assign(**about))
            rows += [about | row for row in _correlate(joined, permutations)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["fdr"] = benjamini_hochberg(table["p"])
    table["words"] = [_words(row) for row in table.to_dict("records")]
    patients = pd.concat(tables) if tables else pd.DataFrame(columns=PATIENT_COLUMNS)
    return table, patients[PATIENT_COLUMNS].reset_index(drop=True)


def _lamm_measures(cohort: Cohort) -> pd.DataFrame:
    """Return LAMM cells of immune cells at both levels, the mean LAMM score, and the supply."""
    counts = cohort.counts
    is_immune = counts["partition"].astype(bool) & ~counts["lineage"].isin(NOT_IMMUNE)
    total = counts[is_immune].groupby("sample")["n_cells"].sum()
    parts = []
    for level in LAMM_LEVELS:
        own = counts.loc[counts["population"] == level, ["sample", "n_cells"]]
        part = own.rename(columns={"n_cells": "total"}).assign(measure=level, kind=FRACTION)
        parts.append(part.assign(n_cells=part["sample"].map(total), population="immune"))
    score = cohort.scores.rename(columns={"total_score": "total", "n_scored": "n_cells"})
    about = {"measure": LAMM_SCORE, "kind": MEAN, "population": "monocytic"}
    parts.append(score[["sample", "total", "n_cells"]].assign(**about))
    supply = cohort.supply
    named = supply["measure"].astype(str) + " of " + supply["population"].astype(str)
    parts.append(supply.assign(measure=named))
    return pd.concat(parts, ignore_index=True)


def _patient_values(measures: pd.DataFrame, cohort: Cohort, *, min_cells: int) -> pd.DataFrame:
    """Return one value per patient, phase, compartment and measure; replicates are summed.

    Columns `patient`, `phase`, `compartment`, `population`, `measure`, `kind`, `value` (a mean, or
    the logit of a fraction), `count` (cells of a fraction, infinite for a mean) and `log_umis`.
    """
    chosen = _chosen_samples(cohort)
    depth = cohort.quality.set_index("sample")["median_counts"].astype(float)
    chosen = chosen.assign(log_umis=np.log(chosen["sample"].map(depth).clip(lower=1)))
    unit = ["patient", "phase", "compartment"]
    depths = chosen.groupby(unit)["log_umis"].mean().rename("log_umis")
    keys = [*unit, "population", "measure", "kind"]
    sums = measures.merge(chosen[["sample", *unit]], on="sample")
    sums = sums.groupby(keys)[["total", "n_cells"]].sum().reset_index()
    sums = sums[sums["n_cells"] >= min_cells]
    total, n_cells = sums["total"].to_numpy(dtype=float), sums["n_cells"].to_numpy(dtype=float)
    is_mean = (sums["kind"] == MEAN).to_numpy(dtype=bool)
    rest = np.where(is_mean, 1, n_cells - total + OFFSET)
    logit = np.log(np.where(is_mean, 1, total + OFFSET) / rest)
    values = np.where(is_mean, total / n_cells, logit)
    count = np.where(is_mean, np.inf, total)
    return sums[keys].assign(value=values, count=count).join(depths, on=unit)


def _chosen_samples(cohort: Cohort) -> pd.DataFrame:
    """Return the unsorted samples of each patient at the time point nearest to infusion.

    That is the last before and the first after it, by the day, or by the order in the config if the
    day of a sample is not known.
    """
    samples = cohort.samples
    is_sorted = samples["sample"].isin(sorted_samples(samples, cohort.sorts))
    samples = samples[samples["phase"].isin(PHASES) & ~is_sorted]
    chosen = nearest_to_infusion(samples, cohort.timepoints)
    return chosen[["sample", "patient", "phase", "compartment"]]


def _changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return values after less values before, with the depth after.

    The CAR-T share has none: before infusion it is 0, so its change is the later value.
    """
    keys = ["patient", "compartment", "population", "measure", "kind"]
    joined = after.merge(before[[*keys, "value", "count"]], on=keys, suffixes=("", "_before"))
    is_share = (joined["population"] == T) & (joined["measure"] == CAR_T)
    joined = joined[~(is_share & (joined["count_before"] == 0))]
    most = joined[["count", "count_before"]].max(axis=1)
    return joined.assign(value=joined["value"] - joined["value_before"], count=most)


def _join(lamm: pd.DataFrame, t_cells: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Return each pair of measures of each patient, with the arm."""
    ours = lamm.rename(columns={"measure": "lamm_measure", "value": "lamm_value"})
    ours = ours.rename(columns={"log_umis": "lamm_log_umis", "count": "lamm_count"})
    names = {"population": "t_population", "measure": "t_measure", "kind": "t_kind"}
    names |= {"value": "t_value", "log_umis": "t_log_umis", "count": "t_count"}
    theirs = t_cells.rename(columns=names)
    own = ["patient", "lamm_measure", "lamm_value", "lamm_log_umis", "lamm_count"]
    joined = ours[own].merge(theirs[["patient", *names.values()]], on="patient")
    arms = samples.drop_duplicates("patient").set_index("patient")["response"]
    return joined.assign(arm=joined["patient"].map(arms))


def _correlate(joined: pd.DataFrame, permutations: Permutations) -> list[dict[str, Any]]:
    """Correlate all pairs of measures; those of the same patients share their permutations."""
    rows: list[dict[str, Any]] = []
    groups: dict[tuple[Any, ...], list[tuple[dict[str, Any], pd.DataFrame]]] = {}
    by_pair = joined.sort_values("patient").groupby([*LAMM_KEYS, *T_KEYS, "t_kind"], sort=True)
    for name, part in by_pair:
        pair = dict(zip([*LAMM_KEYS, *T_KEYS, "t_kind"], name, strict=True))
        groups.setdefault((pair["lamm_measure"], *part["patient"]), []).append((pair, part))
    for pairs in groups.values():
        first = pairs[0][1]
        found = rank_correlation(
            first["lamm_value"].to_numpy(dtype=float),
            np.array([part["t_value"] for _, part in pairs], dtype=float),
            _covariates(first),
            max_exact=permutations.max_exact,
            n_draws=permutations.n_draws,
            seed=permutations.seed,
            level=1 - ALPHA,
        )
        few = len(first) - found.n_covariates - 2 < MIN_DF
        needed = found.n_covariates + 2 + MIN_DF
        patients = counted(len(first), "patients")
        reason = f"{patients} of {needed} needed (covariates: {found.n_covariates})"
        for i, (pair, part) in enumerate(pairs):
            expected = min(part["lamm_count"].mean(), part["t_count"].mean())
            rare = bool(expected < MIN_EXPECTED)
            known = bool(np.isfinite(found.rho[i])) and not rare
            status = "too_few_cells" if rare else "too_few_patients" if few else "no_variation"
            row = pair | {"n": len(first), "n_covariates": found.n_covariates, "status": status}
            row["reason"] = TOO_RARE if rare else reason if few else NO_VARIATION
            if not known:
                rows.append(row)
                continue
            row |= {"status": "ok", "reason": "", "p_floor": found.p_floor}
            for column in ("rho", "ci_low", "ci_high", "p", "p_permutation"):
                row[column] = getattr(found, column)[i]
            rows.append(row)
    return sorted(rows, key=lambda row: [str(row[key]) for key in (*LAMM_KEYS, *T_KEYS)])


def _covariates(part: pd.DataFrame) -> Array:
    """Return the arm, if there are two, and the depths, patients x covariates."""
    arm = part["arm"].fillna("").astype(str)
    columns = [(arm == name).to_numpy(dtype=float) for name in sorted(set(arm))[1:]]
    columns += [part[name].to_numpy(dtype=float) for name in ("lamm_log_umis", "t_log_umis")]
    return np.column_stack(columns)


def _words(row: Mapping[Any, Any]) -> str:
    """Say what the interval is compatible with, or why there is none."""
    if row["status"] != "ok":
        return f"not testable: {row['reason']}"
    low, high = (write_number(float(row[end]), "number") for end in ("ci_low", "ci_high"))
    interval = f"rho between {low} and {high}"
    if not row["p"] < ALPHA:
        return f"compatible with no association: {interval}"
    doubts = [
        f"{name} {write_number(float(row[column]), 'p')}"
        for name, column in (("FDR", "fdr"), ("permutation p", "p_permutation"))
        if not row[column] < ALPHA
    ]
    direction = "rise together" if row["rho"] > 0 else "one falls as the other rises"
    if doubts:
        return f"suggestive: {direction}, {interval}; {'; '.join(doubts)}"
    return f"associated: {direction}, {interval}"
