"""Audit of the whole cohort: arms by phase, missing samples and patients no longer sampled."""

import pandas as pd

from lammscope.cohort.associations import Row, association_rows, covariates_of, exact_association
from lammscope.cohort.covariates import possible_codes
from lammscope.core.names import ALPHA, ARM_WORDS
from lammscope.core.words import as_text, counted, shortened

PHASES = {"pre": "before", "post": "after"}

MIN_LATE = 3  # minimum patients sampled at a time point for its arms to be examined

MAX_SHARE, MAX_RISE = 0.8, 0.2  # share of one arm at a time point, and its excess over the cohort


def arm_phase_table(samples: pd.DataFrame) -> pd.DataFrame:
    """Count patients and samples per arm and phase.

    Returns
    -------
    DataFrame
        `arm` (responder, non_responder; `all` if no patient has a response), `phase` (pre,
        post), `n_patients`, `n_samples`, `n_pairs` (patients of the arm with both phases),
        `n_missing` (patients of the arm without this phase).
    """
    parts = {arm: samples[samples["response"] == arm] for arm in ARM_WORDS}
    if samples["response"].isna().all():
        parts = {"all": samples}
    rows = []
    for arm, part in parts.items():
        found = {phase: part[part["phase"] == phase] for phase in PHASES}
        patients = {phase: set(found[phase]["patient"]) for phase in PHASES}
        rows += [
            {
                "arm": arm,
                "phase": phase,
                "n_patients": len(patients[phase]),
                "n_samples": len(found[phase]),
                "n_pairs": len(patients["pre"] & patients["post"]),
                "n_missing": part["patient"].nunique() - len(patients[phase]),
            }
            for phase in PHASES
        ]
    return pd.DataFrame(rows)


def cohort_rows(samples: pd.DataFrame, late: dict[str, str]) -> list[Row]:
    """Return the audit rows of the whole cohort; `late` is from `late_timepoints`."""
    patients = samples.drop_duplicates("patient").set_index("patient")
    response = patients["response"]
    rows: list[Row] = [
        (
            "patients",
            len(patients),
            "ok",
            f"{counted(len(patients), 'patients')}, {counted(len(samples), 'samples')}.",
        ),
    ]
    for row in arm_phase_table(samples).to_dict("records"):
        message = (
            f"{counted(row['n_patients'], ARM_WORDS.get(row['arm'], 'patients'))} with "
            f"{counted(row['n_samples'], 'samples')} {PHASES[row['phase']]} infusion; "
            f"{row['n_pairs']} with both phases."
        )
        status = "ok" if row["n_patients"] >= MIN_LATE else "note"
        rows.append((f"{row['arm']}_{row['phase']}", row["n_patients"], status, message))
    labels = patients.loc[response.isna() & patients["response_label"].notna(), "response_label"]
    if len(labels):
        by_label = as_text(labels).value_counts().sort_index()
        by_label = by_label.sort_values(ascending=False, kind="stable")
        counts = ", ".join(f"{label} ({n})" for label, n in by_label.items())
        have = f"{counted(len(labels), 'patients')} {'has' if len(labels) == 1 else 'have'}"
        message = f"{have} a response that is in neither arm: {counts}."
        rows.append(("other_response", len(labels), "note", message))
    n_missing = int((response.isna() & patients["response_label"].isna()).sum())
    if n_missing:
        have = f"{counted(len(patients), 'patients')} {'has' if n_missing == 1 else 'have'}"
        words = f"{n_missing} of {have} no response label."
        rows.append(("no_response", n_missing, "note", words))
    phased = samples[samples["phase"].isin(list(PHASES))]
    n_both = int((phased.groupby("patient")["phase"].nunique() == 2).sum())
    have = f"{counted(n_both, 'patients')} {'has' if n_both == 1 else 'have'}"
    rows.append(("pre_and_post", n_both, "ok", f"{have} samples before and after infusion."))
    groups = response.map(ARM_WORDS)
    for phase, when in PHASES.items():
        has = patients.index.isin(samples.loc[samples["phase"] == phase, "patient"])
        what = f"no sample {when} infusion"
        rows += missingness_rows(groups, pd.Series(has, patients.index), f"missing_{phase}", what)
    rows += [(f"late_{name}", name, "survivorship", words) for name, words in late.items()]
    rows += batch_rows(samples)
    codes = possible_codes(samples, covariates_of(samples))
    rows += [(f"number_{name}", name, "note", words) for name, words in codes.items()]
    constant = samples.groupby("patient").nunique(dropna=False).max() <= 1
    for column in covariates_of(samples):
        if constant.get(column, False):
            known = groups.notna()
            rows += association_rows(groups[known], patients.loc[known, column], between="response")
    return rows


def batch_rows(samples: pd.DataFrame) -> list[Row]:
    """Return a row if several samples have batches, but none shares its batch with another.

    Without batches in the sheet, each sample's batch has the name of the sample: nothing is known
    of them then.
    """
    batches = as_text(samples["batch"]) if "batch" in samples else samples["sample"]
    if len(batches) < 2 or batches.duplicated().any() or (batches == samples["sample"]).all():
        return []
    message = (
        f"Each of {counted(len(batches), 'samples')} has a batch of its own "
        f"({shortened(sorted(batches.dropna()))}): differences between batches cannot be told from "
        "those between samples, so integration removes both, and no test can adjust for batches."
    )
    return [("batch_is_sample", len(batches), "warning", message)]


def missingness_rows(groups: pd.Series, has: pd.Series, item: str, what: str) -> list[Row]:
    """Return a row on the patients of each group without a sample, or none if all have one.

    `groups` (in words) and `has` (bool) have one value per patient; `what` says what is missing.
    """
    has = has[groups.notna()]
    groups = groups[groups.notna()]
    if has.all():
        return []
    sizes = [
        f"{int((~has[groups == group]).sum())} of {counted(int((groups == group).sum()), group)}"
        for group in sorted(groups.unique(), reverse=True)
    ]
    message = f"{' and '.join(sizes)} have {what}"
    if groups.nunique() < 2 or not has.any():
        return [(item, int((~has).sum()), "note", f"{message}.")]
    p, test = exact_association(groups, has.map({True: "has", False: "lacks"}))
    message += f" ({test}, p = {p:.2g})."
    if p >= ALPHA:
        return [(item, f"{p:.4g}", "ok", message)]
    message += " More are missing in one arm: those who remain may not represent their arm."
    return [(item, f"{p:.4g}", "warning", message)]


def late_timepoints(samples: pd.DataFrame) -> dict[str, str]:
    """Find time points after infusion at which nearly only one arm is sampled.

    A sample is after infusion if its phase is `post`, or if its `day` is above 0 and above those of
    `pre`. Returns a sentence for each time point.
    """
    pre = samples["phase"] == "pre"
    after = samples["phase"] == "post"
    if "day" in samples and pd.api.types.is_numeric_dtype(samples["day"]):
        last_pre = samples.loc[pre, "day"].max()
        after |= ~pre & (samples["day"] > max(0, 0 if pd.isna(last_pre) else last_pre))
    known = samples[samples["response"].isin(list(ARM_WORDS))]
    cohort = known.drop_duplicates("patient")["response"].value_counts()
    found = {}
    for timepoint, part in known[after[known.index]].groupby("timepoint"):
        sampled = part.drop_duplicates("patient")["response"].value_counts()
        arm, n, n_all = str(sampled.index[0]), int(sampled.iloc[0]), int(sampled.sum())
        share, usual = n / n_all, int(cohort[arm]) / int(cohort.sum())
        if n_all < MIN_LATE or share < MAX_SHARE or share - usual < MAX_RISE - 1e-9:
            continue
        why = (
            "patients who relapse or die are no longer sampled, so mainly survivors are compared"
            if arm == "responder"
            else "whether a patient is sampled depends on the outcome"
        )
        found[str(timepoint)] = (
            f"At {timepoint}, {n} of {n_all} sampled patients are {ARM_WORDS[arm]} "
            f"({cohort[arm]} of {cohort.sum()} in the cohort): {why}."
        )
    return found
