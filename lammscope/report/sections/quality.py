"""Content of the section on quality: the table of samples, and what is wrong with some of them."""

import pandas as pd

from lammscope.core.words import shortened
from lammscope.report.table import QC_COLUMNS, Table, build_table

SHARED = "shared_barcodes"


def quality_table(qc_summary: pd.DataFrame) -> Table:
    """Return the table of samples; with shared barcodes only if there are any."""
    if not _sharing(qc_summary):
        qc_summary = qc_summary.drop(columns=SHARED)
    return build_table(qc_summary, QC_COLUMNS)


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
