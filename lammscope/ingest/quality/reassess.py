"""Quality control of a sample again, by other limits, from its stored metrics."""

from collections.abc import Mapping

import pandas as pd

from lammscope.ingest.quality.limits import Limits, flag_cells


def reassess(qc: pd.DataFrame, *, limits: Mapping[str, float]) -> pd.DataFrame:
    """Flag the barcodes of a sample by other limits, from its flagged metrics.

    Which barcodes hold ambient RNA, and their lineages, do not depend on the limits. Nor does
    `ambient_max_counts`, below which barcodes were dropped, take another value.
    """
    values = {name: value for name, value in limits.items() if name != "ambient_max_counts"}
    ambient = qc["reasons"].str.split(",").str[0] == "ambient"
    metrics = qc.drop(columns=["likely_lineage", "passes", "reasons"])
    lineages = qc["likely_lineage"].to_numpy(dtype=object)
    return flag_cells(metrics, Limits(**values), lineages=lineages, ambient=ambient.to_numpy())
