"""Content of the first card: the question, the verdict, what speaks against it, and the numbers."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lammscope.abundance.primary import primary_row
from lammscope.cohort.audit_soup import ITEM as AMBIENT
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.selection import USED
from lammscope.core.names import ALPHA, DROP, LAMM, LOST_POPULATIONS, PRIMARY_SCALE
from lammscope.core.verdicts import INCONCLUSIVE, NOT_TESTABLE, SUGGESTIVE, SUPPORTED
from lammscope.core.words import NOTHING, denominator_words, readable, shortened, write_number
from lammscope.joint.verdicts import failed_samples
from lammscope.report.results import ContrastResults, Results
from lammscope.report.sections.design import warning_rows
from lammscope.report.sections.lines import (
    calibration_rows,
    incomplete_line,
    influence_line,
    least_words,
    limit_words,
    robustness_line,
)
from lammscope.report.sections.quality import sharing_rows

Message = dict[str, str]
MOST_CAVEATS = 3  # on the card; the others stand below it
MOST_OF_GENES = 1  # of them, only if there are no others: they concern the tests of genes
LONGEST = 210  # characters of a caveat on the card: about one line and a half
MOST_NAMES = 8  # failed samples that the card names
MARKS = {SUPPORTED: "●", SUGGESTIVE: "◐", INCONCLUSIVE: "○", NOT_TESTABLE: NOTHING}
ABOUT_GENES = {AMBIENT, LOST_POPULATIONS}  # items of the audit that concern expression tests
TOO_FEW = ("too_few_patients", "too_few_values")
NOTHING_SERIOUS = "Checks of design, libraries and calibration found nothing serious{}."
UNADJUSTED = "Unadjusted, so exploratory: other differences between the patients may explain it."
WITHIN = "Each patient is compared with their own samples; what stays the same in a patient cancels"


def card_section(
    results: Results, *, sentence: str, config: Mapping[str, Any], warnings: Sequence[Message]
) -> dict[str, Any]:
    """Return what the first card says, for any cohort.

    Parameters
    ----------
    results
        The tables of the run.
    sentence
        The primary result in words, from `state_primary`.
    config
        The resolved config.
    warnings
        All messages for the top of the report.

    Returns
    -------
    dict
        `contrast` and whether it was `made`; `sentence`; `question`, `verdict`, `numbers` and
        `details` (empty without a primary row); `points`, shown above the numbers; and `warnings`:
        those that the card does not show in full.
    """
    name, denominator = config["primary"]["contrast"], config["primary"]["denominator"]
    own = results.of_contrast.get(name)
    caveats = primary_caveats(results, own, denominator=denominator)[:MOST_CAVEATS]
    whole = {(row["contrast"], row["message"]) for row in caveats if not _is_long(row)}
    card: dict[str, Any] = {
        "contrast": name,
        "made": own is not None,
        "sentence": sentence,
        "question": "",
        "verdict": None,
        "numbers": None,
        "details": [],
        "points": _points(results, own, caveats, on_failed=config["qc"]["on_failed"]),
        "warnings": [row for row in warnings if (row["contrast"], row["message"]) not in whole],
    }
    row = _row_of(own, denominator=denominator)
    if own is None or row is None:
        return card
    card["question"] = own.contrast.asks(_whole(denominator))
    card["verdict"] = _verdict(row, own.contrast, denominator=denominator)
    card["numbers"] = _numbers(row, own.contrast, denominator=denominator)
    card["details"] = _details(row, own)
    return card


def primary_caveats(
    results: Results, own: ContrastResults | None, *, denominator: str
) -> list[Message]:
    """Return what a reader of the primary result must know first, the most serious first.

    First come messages that question the comparison itself, then its calibration and the patients
    left out, then messages of the cohort. One that concerns the tests of genes is returned only if
    there are no others.
    """
    contrasts, audit = results.contrasts, results.findings
    if own is None:
        return warning_rows(audit[audit["contrast"] == "cohort"], contrasts=contrasts)
    name = own.contrast.name
    design = audit[audit["contrast"] == name]
    is_about_genes = design["item"].isin(ABOUT_GENES)
    found = warning_rows(design[~is_about_genes], contrasts=contrasts)
    calibration = results.calibration.query("status == 'warning' and contrast == @name")
    of_genes = calibration["test"].astype(str).str.startswith("genes")
    serious = [row for row in found if row["status"] != "warning"]
    first = [
        *serious,
        *calibration_rows(calibration[~of_genes]),
        *_left_out(own, denominator=denominator),
        *(row for row in found if row["status"] == "warning"),
        *warning_rows(audit[audit["contrast"] == "cohort"], contrasts=contrasts),
        *sharing_rows(results.qc_summary),
    ]
    about_genes = [
        *calibration_rows(calibration[of_genes]),
        *warning_rows(design[is_about_genes], contrasts=contrasts),
    ]
    return first or about_genes[:MOST_OF_GENES]


def _points(
    results: Results, own: ContrastResults | None, caveats: Sequence[Message], *, on_failed: str
) -> list[Message]:
    """Return what stands above the numbers, with its status, tag and field, the worst first."""
    failed = {"field": "failed-samples", "status": "", "tag": "quality"}
    failed["message"] = failed_line(results, own, on_failed=on_failed)
    if failed_samples(results.qc_verdicts):
        failed |= {"status": "failed", "tag": "failed"}
    nothing = NOTHING_SERIOUS.format(" for this comparison" if own is not None else "")
    shown = [
        {
            "field": "caveat",
            "status": row["status"],
            "tag": readable(row["status"]),
            "message": _shortened(row["message"]),
        }
        for row in caveats
    ] or [{"field": "caveat", "status": "", "tag": "checks", "message": nothing}]
    rank = {"warning": 2, "failed": 1, "": 3}
    points = sorted([*shown, failed], key=lambda point: rank.get(point["status"], 0))
    if own is None:
        return points
    adjustment = adjustment_line(own.contrast)
    covariates = {"field": "adjustment", "status": "", "tag": "covariates", "message": adjustment}
    return [*points, covariates]


def failed_line(results: Results, own: ContrastResults | None, *, on_failed: str) -> str:
    """Name the samples that fail quality control, those of the primary comparison first."""
    failed = failed_samples(results.qc_verdicts)
    n_samples = len(results.qc_verdicts)
    if not failed:
        return "The only sample passes quality control." * (n_samples == 1) or (
            f"All {n_samples:,} samples pass quality control."
        )
    compared: list[str] = []
    if own is not None:
        selection = Comparison(results.samples, own.contrast).selection
        used = set(selection.loc[selection["use"] == USED, "sample"].astype(str))
        compared = [name for name in failed if name in used]
    names = shortened([*compared, *(name for name in failed if name not in compared)], MOST_NAMES)
    fails = "fails" if len(failed) == 1 else "fail"
    line = f"{len(failed)} of {n_samples:,} samples {fails} quality control: {names}."
    if on_failed == DROP:
        return f"{line} Their cells are left out of all results."
    if not compared:
        where = ", but none is in this comparison" if own is not None else ""
        return f"{line} Their cells are part of the results{where}."
    if len(compared) == len(failed):
        return f"{line} Their cells are part of all results, this comparison included."
    named = shortened(compared, MOST_NAMES)
    return f"{line} Their cells are part of all results; in this comparison, those of {named}."


def _verdict(row: Mapping[str, Any], contrast: Contrast, *, denominator: str) -> dict[str, str]:
    """Return the verdict, the claim that it allows, and what keeps it from a better one."""
    verdict = str(row["verdict"])
    reached, _, doubts = str(row["words"]).partition("; ")
    doubts = readable(doubts or reached.partition(": ")[2])
    words = {"mark": MARKS[verdict], "word": verdict, "claim": "", "needed": ""}
    if verdict == NOT_TESTABLE:
        reason = f"{row['reason'] or doubts}"
        if row["status"] in TOO_FEW:
            enough = f" With {contrast.plenty}, a difference can be supported."
            words["needed"] = f"Needed for a test: at least {contrast.requirement}."
            words["needed"] += enough * (not contrast.adjust)
        return words | {"meaning": f"{reason[0].upper()}{reason[1:]}."}
    direction = "higher" if float(row["estimate"]) > 0 else "lower"
    if verdict == INCONCLUSIVE:
        direction = f"numerically {direction}"
    verb = "may be" if verdict == SUGGESTIVE else "was"
    claim = contrast.claim(direction, _whole(denominator), verb=verb)
    meanings = {
        SUPPORTED: "p, the permutation test and the result without any one patient agree.",
        SUGGESTIVE: f"p is below {ALPHA:g}, but not all checks agree: {doubts}.",
        INCONCLUSIVE: f"{doubts[0].upper()}{doubts[1:]}. This is no evidence that there is no "
        "difference.",
    }
    return words | {"claim": f"{claim[0].upper()}{claim[1:]}.", "meaning": meanings[verdict]}


def _numbers(row: Mapping[str, Any], contrast: Contrast, *, denominator: str) -> dict[str, Any]:
    """Return the numbers of the primary row as text; without a test only those of the sides."""
    sides = [
        {
            "side": side,
            "label": contrast.side_name(side),
            "n": f"{int(row[f'n_{side}'])}",
            "mean": write_number(float(row[f"mean_{side}"]), contrast.mean_unit),
            "what": f"{contrast.mean_words}, % {denominator_words(denominator)}",
        }
        for side in reversed(SIDES)
    ]
    numbers: dict[str, Any] = {
        "sides": sides,
        "units": contrast.unit_words,
        "per_side": not contrast.has_numbers,
        "effect": "",
    }
    if not np.isfinite(float(row["estimate"])):
        return numbers
    ratio, low, high = (
        write_number(float(row[key]), "ratio") for key in ("estimate", "ci_low", "ci_high")
    )
    return numbers | {
        "effect_name": contrast.ratio(),
        "effect": ratio,
        "interval": f"{low} to {high}",
        "p": write_number(float(row["p"]), "p"),
        "permutation": write_number(float(row["p_permutation"]), "p"),
        "floor": least_words(float(row["p_floor"])),
        "limit": limit_words(row),
        "left_out": _left_out_tile(row, contrast),
    }


def adjustment_line(contrast: Contrast) -> str:
    """Say what the primary comparison is adjusted for."""
    if not contrast.between_patients:
        return f"{WITHIN} out."
    if contrast.adjust:
        return f"Adjusted for {', '.join(map(readable, contrast.adjust))}."
    return UNADJUSTED


def _left_out_tile(row: Mapping[str, Any], contrast: Contrast) -> dict[str, str] | None:
    """Return how the result depends on one patient; None if it is not known."""
    if not np.isfinite(float(row["influence_p_max"])):
        return None
    low, high = (write_number(float(row[f"influence_{end}"]), "ratio") for end in ("low", "high"))
    p = write_number(float(row["influence_p_max"]), "p").removeprefix("< ")
    return {
        "range": f"{low} to {high}",
        "detail": f"{contrast.ratio()}; p at most {p}, without {row['influence_patient']}",
    }


def _details(row: Mapping[str, Any], own: ContrastResults) -> list[str]:
    """Return the lines that most readers do not need."""
    contrast = own.contrast
    lines = [line(row, contrast=contrast) for line in (influence_line, incomplete_line)]
    if not own.robustness.empty:
        lines.append(robustness_line(own.robustness, contrast=contrast))
    return [line for line in lines if line]


def _left_out(own: ContrastResults, *, denominator: str) -> list[Message]:
    """Name the patients whom the primary test leaves out for want of cells."""
    row = _row_of(own, denominator=denominator)
    notes = row.get("notes") if row else None
    if not isinstance(notes, str) or not notes:
        return []
    message = f"Left out of the primary test: {notes}."
    return [{"contrast": own.contrast.name, "status": "warning", "message": message}]


def _row_of(own: ContrastResults | None, *, denominator: str) -> dict[str, Any] | None:
    """Return the primary row, or None if the run has none."""
    if own is None or own.abundance.empty:
        return None
    table = own.abundance
    rows = (table["population"] == LAMM) & (table["denominator"] == denominator)
    if not (rows & (table["scale"] == PRIMARY_SCALE)).any():
        return None
    return primary_row(table, denominator=denominator)


def _whole(denominator: str) -> str:
    return denominator_words(denominator).removeprefix("of ")


def _shortened(message: str) -> str:
    """Cut a long message at the end of a sentence if there is one, else between words."""
    if len(message) <= LONGEST:
        return message
    whole = message[: message.rfind(". ", 0, LONGEST - 2) + 1]
    return f"{whole} …" if whole else textwrap.shorten(message, LONGEST, placeholder=" …")


def _is_long(row: Message) -> bool:
    return len(row["message"]) > LONGEST
