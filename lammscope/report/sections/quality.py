"""Content of the section on quality: the table of samples, and what is wrong with some of them."""

from dataclasses import replace

import pandas as pd

from lammscope.core.names import DROP
from lammscope.core.words import readable, shortened
from lammscope.joint.verdicts import failure_text
from lammscope.report.catalog import result_path
from lammscope.report.table import QC_COLUMNS, Table, build_table
from lammscope.report.table_cells import with_notes, write_cell

SHARED = "shared_barcodes"
OF_VERDICTS = ["verdict", "reasons", "pct_contamination", "sex"]


def quality_table(qc_summary: pd.DataFrame, verdicts: pd.DataFrame) -> Table:
    """Return the table of samples; with shared or dropped barcodes only if there are any."""
    table = qc_summary.merge(verdicts[["sample", *OF_VERDICTS]], on="sample", how="left")
    cells = [write_cell(verdict, "words") for verdict in table["verdict"]]
    cells = [replace(cell, style=f"{cell.style} {cell.text}") for cell in cells]
    reasons = table["reasons"].fillna("").str.replace(",", ", ").map(readable)
    table["verdict"] = with_notes(cells, reasons)
    if not _sharing(qc_summary):
        table = table.drop(columns=SHARED)
    if not qc_summary["n_dropped"].any():
        table = table.drop(columns="n_dropped")
    return build_table(table, QC_COLUMNS, file=result_path("qc_summary"))


def failure_rows(verdicts: pd.DataFrame, *, on_failed: str) -> list[dict[str, str]]:
    """Return the samples that fail, for the top of the report, and what happens to their cells."""
    failures = failure_text(verdicts)
    if not failures:
        return []
    one = len(failures) == 1
    handling = (
        f"The cells of {'this sample' if one else 'these samples'} are left out of all results "
        "(`qc.on_failed: drop`)."
        if on_failed == DROP
        else f"The cells of {'this sample' if one else 'these samples'} are part of all results. "
        "To leave them out, set `qc.on_failed: drop`."
    )
    messages = [f"{text[0].upper()}{text[1:]}." for text in failures]
    messages[-1] += f" {handling}"
    return [{"contrast": "cohort", "status": "failed", "message": text} for text in messages]


def sharing_rows(qc_summary: pd.DataFrame) -> list[dict[str, str]]:
    """Return the warning on samples that share barcodes, for the top of the report."""
    names = _sharing(qc_summary)
    if not names:
        return []
    message = (
        f"Samples that share many barcodes, more than by chance: {shortened(names)} (see Quality). "
        "Is one library counted twice? Then each of its cells counts twice, too: correct `counts` "
        "in the sample sheet. If the samples share a 10x lane, give them one `channel`."
    )
    return [{"contrast": "cohort", "status": "warning", "message": message}]


def empty_line(qc_summary: pd.DataFrame) -> str:
    """Name the samples without a cell that passes quality control; "" if there are none."""
    names = qc_summary.loc[qc_summary["n_cells"] == 0, "sample"].tolist()
    if not names:
        return ""
    one = len(names) == 1
    return (
        f"No cell of sample{'' if one else 's'} {', '.join(names)} passes quality control. "
        f"{'It has' if one else 'They have'} zero cells in the tables, and no test can use "
        f"{'it' if one else 'them'}."
    )


def _sharing(qc_summary: pd.DataFrame) -> list[str]:
    """List the samples that share many barcodes; an empty text in a file is read as missing."""
    shares = qc_summary[SHARED].notna() & (qc_summary[SHARED] != "")
    return [str(name) for name in qc_summary.loc[shares, "sample"]]
