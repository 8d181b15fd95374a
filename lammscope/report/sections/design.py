"""Content of the section on the design: the comparisons and what each can answer."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lammscope.cohort.audit_cohort import arm_phase_table
from lammscope.cohort.contrasts import Contrast
from lammscope.core.words import NOTHING
from lammscope.report.catalog import result_path
from lammscope.report.table import Column, Table, build_table

CONTRAST_COLUMNS = (
    Column("name", "Comparison", "name"),
    Column("verdict", "What it can answer", "words"),
    Column("question", "Question", "words"),
    Column("test", "Test", "count", "patients in the test arm"),
    Column("reference", "Reference", "count", "patients in the reference arm"),
    Column("patients", "Patients", "count", "of a trend"),
    Column("pairs", "Pairs", "count", "patients with both samples"),
    Column("left_out", "Samples left out", "count", "selected, but they cannot be compared; the "
           "section of the contrast gives the reasons"),
    Column("rank", "Model rank", "text", "coefficients that can be estimated, of all", True),
    Column("floor", "Smallest p", "p", "that the permutation test can give: of all "
           "assignments, or of the draws"),
)  # fmt: skip
ARM_COLUMNS = (
    Column("arm", "Arm", "name"),
    Column("phase", "Infusion", "text"),
    Column("n_patients", "Patients", "count"),
    Column("n_samples", "Samples", "count"),
    Column("n_pairs", "With both phases", "count"),
    Column("n_missing", "Without this phase", "count"),
)
OVERLAP_COLUMNS = (
    Column("sample", "Sample"),
    Column("matched_by", "Matched by", "text"),
    Column("n_genes", "Genes", "count"),
    Column("n_matched", "Matched", "count", "to the ids of the other samples"),
    Column("n_missing", "Missing genes", "count", "that a quarter of the samples have"),
    Column("pct_overlap", "Overlap with the others", "percent"),
    Column("closest", "Overlap with the most similar", "percent"),
    Column("note", "Note", "words"),
)
SHARED = 99.0  # % of genes; above it, samples differ by at most a few added features
PHASE_WORDS = {"pre": "before", "post": "after"}

SERIOUS = ("aliased", "too_few_patients", "confounded", "survivorship", "warning")
UNANSWERED = ("aliased", "too_few_patients")
IN_VERDICT = r"p_floor|rank|residual_df|patients|patients_\w+|pairs|late_.+"


def design_section(
    samples: pd.DataFrame, *, audit: pd.DataFrame, contrasts: Mapping[str, Contrast]
) -> dict[str, Table | None]:
    """Return the tables of contrasts and of arms by phase."""
    rows = [
        _contrast_row(name, audit[audit["contrast"] == name].set_index("item"), contrast)
        for name, contrast in contrasts.items()
    ]
    table = pd.DataFrame(rows)
    used = [c for c in CONTRAST_COLUMNS if rows and table[c.key].notna().any()]
    arms = arm_phase_table(samples)
    arms["phase"] = arms["phase"].map(PHASE_WORDS)
    return {
        "contrasts": build_table(table, used, file=result_path("audit")) if rows else None,
        "arms": build_table(arms, ARM_COLUMNS),
    }


def gene_section(overlap: pd.DataFrame | None) -> dict[str, Any] | None:
    """Return the samples whose genes differ from those of the others, or lack important ones."""
    if overlap is None or overlap.empty:
        return None
    overlap = overlap.assign(note=overlap["note"].fillna(""))
    odd = (overlap["pct_overlap"] < SHARED) | (
        overlap["n_missing"] >= (100 - SHARED) / 100 * overlap["n_genes"]
    )
    odd |= overlap["matched_by"] != overlap["matched_by"].mode()[0]
    odd |= overlap["note"] != ""
    if len(overlap) < 2 and not odd.any():
        return None
    file = result_path("gene_overlap")
    table = build_table(overlap[odd], OVERLAP_COLUMNS, file=file) if odd.any() else None
    return {"n": len(overlap), "lowest": float(overlap["pct_overlap"].min()), "table": table}


def _contrast_row(
    name: str, rows: pd.DataFrame, contrast: Contrast
) -> dict[str, str | float | None]:
    """Return the audit of one contrast as a row of the table."""
    value = rows["value"].to_dict()
    left_out = rows[rows.index.str.startswith("unused: ") & (rows["status"] != "ok")]
    floor = float(value["p_floor"]) if "p_floor" in value else float("nan")
    return {
        "name": name,
        "question": contrast.describe(),
        "test": _number(value.get("patients_test")),
        "reference": _number(value.get("patients_reference")),
        "patients": _number(value.get("patients")),
        "pairs": _number(value.get("pairs")),
        "left_out": float(left_out["value"].astype(float).sum()),
        "rank": value.get("rank", NOTHING),
        "floor": floor,
        "verdict": rows["message"].get("verdict"),
    }


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def audit_rows(audit: pd.DataFrame, *, contrasts: Mapping[str, Contrast]) -> list[dict[str, str]]:
    """Return the messages of the audit: the cohort first, then by contrast, the worst first."""
    severity = {status: rank for rank, status in enumerate((*SERIOUS, "note", "ok"))}
    place = {"cohort": -1} | {name: rank for rank, name in enumerate(contrasts)}
    rows = audit.assign(
        _place=audit["contrast"].map(place).fillna(99), _rank=audit["status"].map(severity)
    ).sort_values(["_place", "_rank"], kind="stable")
    return [
        {"contrast": row["contrast"], "status": row["status"], "message": str(row["message"])}
        for row in rows.to_dict("records")
        if isinstance(row["message"], str) and row["message"]
    ]


def warning_rows(audit: pd.DataFrame, *, contrasts: Mapping[str, Contrast]) -> list[dict[str, str]]:
    """Return the messages for the top of the report; a verdict replaces its details."""
    is_verdict = audit["item"] == "verdict"
    unanswered = audit.loc[is_verdict & audit["value"].isin(UNANSWERED), "contrast"]
    detail = audit["item"].astype(str).str.fullmatch(IN_VERDICT)
    detail |= (audit["status"] == "confounded") | audit["contrast"].isin(unanswered)
    covered = detail & ~is_verdict & (audit["contrast"] != "cohort")
    return audit_rows(audit[audit["status"].isin(SERIOUS) & ~covered], contrasts=contrasts)
