"""Flags of barcodes that are not intact single cells, with reasons. Flagged barcodes are kept.

Limits are floors and ceilings from the config, and, within them, median absolute deviations of the
sample [1]_. A limit that would remove much of one lineage is taken within that lineage, because
macrophages and plasma cells have several times the RNA of T cells, and neutrophils and platelets a
fraction of it.

References
----------
.. [1] McCarthy et al., Bioinformatics 33, 1179-1186 (2017), doi 10.1093/bioinformatics/btw777.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lammscope.ingest.lineage_markers import LITTLE_RNA
from lammscope.ingest.quality.lineages import OTHER

MAD_TO_SD = 1.4826  # for a normal distribution, 1 / its upper quartile: the `constant` of R's `mad`
MIN_LOG_SD = 0.3  # of log UMIs and genes: cells of one sorted type vary so little; our choice
MIN_PCT_MT_SD = 1.0  # of % mitochondrial: likewise
LOWEST_PCT_MT = 5.0  # no limit on % mitochondrial falls below this; our choice
MAX_LOST = 1 / 3  # of a lineage, by a limit that is not its own; our choice
MAX_LARGE_LOST = 0.05  # the same for the upper limit of UMIs: large cells are not damaged
FEW = 10  # cells with a median of their own; a lineage of fewer loses none; our choice
# The upper limit of UMIs is that of barcodes with this many times the floor. In a poor library most
# others are damaged or hold no cell, and its cells are far above them; our choice.
RICH = 2.5
# Dying cells lose RNA through their membrane, but not their mitochondria. So `mt_mads` is
# multiplied by `SMALL_WIDTH` for barcodes with less than `SMALL` of the median UMIs of the intact
# barcodes of their lineage, except in lineages with little RNA; our choices.
SMALL, SMALL_WIDTH = 0.5, 0.4


@dataclass(frozen=True)
class Limits:
    """The section `qc` of the config: floors, ceilings, and widths of the adaptive limits.

    `min_counts` (UMIs) and `min_genes` are floors; `max_pct_mt` and `max_pct_hb` (% of UMIs from
    mitochondrial and hemoglobin genes) are ceilings. `counts_mads` and `mt_mads` are the median
    absolute deviations (scaled to a standard deviation) from a sample's median that are allowed.
    """

    min_counts: float
    min_genes: float
    max_pct_mt: float
    max_pct_hb: float
    counts_mads: float
    mt_mads: float


def flag_cells(
    metrics: pd.DataFrame, limits: Limits, *, lineages: np.ndarray, ambient: np.ndarray
) -> pd.DataFrame:
    """Flag barcodes that are not intact single cells, with reasons.

    Parameters
    ----------
    metrics
        From `cell_metrics`, one sample.
    limits
        Floors, ceilings and widths.
    lineages
        The likely lineage of each barcode, from `quick_lineages`.
    ambient
        Barcodes that hold ambient RNA only (bool).

    Returns
    -------
    DataFrame
        `metrics` with `likely_lineage`, `passes` (bool) and `reasons` (comma-separated, empty if it
        passes): `ambient`, `low_counts`, `few_genes`, `high_mt`, `high_hb`, `high_counts`.
    """
    share = pd.Series(lineages).map(LITTLE_RNA).fillna(1.0).to_numpy()
    counts, genes = (metrics[name].to_numpy() for name in ("total_counts", "n_genes"))
    pct_mt = metrics["pct_mt"].to_numpy()
    failed = {
        "ambient": ambient,
        "low_counts": counts < limits.min_counts * share,
        "few_genes": genes < limits.min_genes * share,
        "high_mt": pct_mt > limits.max_pct_mt,
        "high_hb": metrics["pct_hb"].to_numpy() > limits.max_pct_hb,
    }
    intact = ~np.any(list(failed.values()), axis=0)
    log_counts, log_genes = np.log(np.maximum(counts, 1)), np.log(np.maximum(genes, 1))
    of_counts = {"width": limits.counts_mads, "sd": MIN_LOG_SD}
    of_mt = {"width": limits.mt_mads, "sd": MIN_PCT_MT_SD, "lowest": LOWEST_PCT_MT}
    failed["low_counts"] = failed["low_counts"] | _beyond(
        -log_counts, intact, lineages, **of_counts
    )
    failed["few_genes"] = failed["few_genes"] | _beyond(-log_genes, intact, lineages, **of_counts)
    failed["high_mt"] = failed["high_mt"] | _beyond(pct_mt, intact, lineages, **of_mt)
    small = (counts < SMALL * _typical(counts, intact, lineages)) & (share == 1)
    of_small = of_mt | {"width": SMALL_WIDTH * limits.mt_mads}
    failed["high_mt"] |= small & _beyond(pct_mt, intact, lineages, **of_small)
    intact = ~np.any(list(failed.values()), axis=0)
    rich = intact & (counts >= RICH * limits.min_counts)
    typical = rich if rich.sum() >= FEW else intact
    failed["high_counts"] = _beyond(log_counts, typical, lineages, **of_counts, most=MAX_LARGE_LOST)
    table = pd.DataFrame(failed)
    names = table.columns.to_numpy()
    reasons = [",".join(names[row]) for row in table.to_numpy()]
    return metrics.assign(
        likely_lineage=pd.Series(lineages, dtype=str),
        passes=~table.any(axis=1),
        reasons=pd.Series(reasons, dtype=str),
    )


def _typical(counts: np.ndarray, intact: np.ndarray, lineages: np.ndarray) -> np.ndarray:
    """Return the median UMIs of the intact barcodes of each barcode's lineage, or of all."""
    typical = np.full(len(counts), np.median(counts[intact]) if intact.any() else 0.0)
    for lineage in np.unique(lineages[intact]):
        cells = intact & (lineages == lineage)
        if lineage != OTHER and cells.sum() >= FEW:
            typical[lineages == lineage] = np.median(counts[cells])
    return typical


def _beyond(
    values: np.ndarray,
    intact: np.ndarray,
    lineages: np.ndarray,
    *,
    width: float,
    sd: float,
    lowest: float = -np.inf,
    most: float = MAX_LOST,
) -> np.ndarray:
    """Return the barcodes whose values are above an upper limit of the sample or their lineage.

    `intact` barcodes set the limit: their median plus `width` standard deviations, of at least
    `sd`. The limit is not below `lowest`. A lineage that would lose more than `most` has
    its own; one of a few cells needs `MAX_LOST`.
    """
    if not intact.any():
        return np.zeros(len(values), dtype=bool)

    def limit_of(chosen: np.ndarray) -> float:
        median = float(np.median(values[chosen]))
        spread = MAD_TO_SD * float(np.median(np.abs(values[chosen] - median)))
        return max(median + width * max(spread, sd), lowest)

    limit = np.full(len(values), limit_of(intact))
    for lineage in np.unique(lineages):
        own = lineages == lineage
        cells = own & intact
        few = cells.sum() < FEW
        if cells.any() and (values[cells] > limit[cells]).mean() > (MAX_LOST if few else most):
            limit[own] = np.inf if few else limit_of(cells)
    return np.asarray(values > limit)
