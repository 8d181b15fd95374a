"""Metrics of barcodes, and the profile of nearly empty ones."""

import numpy as np
import pandas as pd

from lammscope.core.mitochondria import are_mitochondrial
from lammscope.core.rates import cell_totals, gene_totals, take_cells
from lammscope.core.runtime import logger
from lammscope.core.shards import Shard

# HGNC symbols of the hemoglobin chains (alpha: A1, A2, M, Q1, Z; beta: B, D, E1, G1, G2), but not
# HBEGF, HBP1 or HBS1L, which start with HB, too.
HEMOGLOBIN = r"^HB(A1|A2|B|D|E1|G1|G2|M|Q1|Z)$"

# Their Ensembl ids, in the order A1, A2, B, D, E1, G1, G2, M, Q1, Z.
HEMOGLOBIN_IDS = frozenset(
    f"ENSG00000{number}"
    for number in (
        *("206172", "188536", "244734", "223609", "213931", "213934", "196565", "206177"),
        *("086506", "130656"),
    )
)


def split_ambient(shard: Shard, own: np.ndarray, *, ambient_max_counts: int) -> Shard:
    """Drop nearly empty barcodes and keep their summed profile as the ambient RNA.

    Parameters
    ----------
    shard
        Counts of all barcodes of a matrix.
    own
        Positions of the sample's own barcodes: all, or its part of a pooled channel. The ambient
        RNA is that of the whole channel.
    ambient_max_counts
        Barcodes with fewer UMIs than this are summed and dropped. A filtered matrix has hardly any.

    Returns
    -------
    Shard
        The sample's other barcodes, with `ambient_counts`, one sum per gene, in `genes`.
    """
    totals = cell_totals(shard.counts)
    filled = totals >= ambient_max_counts
    ambient = gene_totals(shard.counts[~filled])
    kept = own[filled[own]]
    genes = shard.genes.assign(ambient_counts=ambient.astype(np.int64))
    return Shard(take_cells(shard.counts, kept), shard.barcodes[kept], genes)


def cell_metrics(shard: Shard) -> pd.DataFrame:
    """Compute `total_counts` (UMIs), `n_genes`, `pct_mt` and `pct_hb` (% of UMIs) per barcode."""
    counts = shard.counts
    totals = cell_totals(counts)
    is_hemoglobin = shard.genes["symbol"].str.upper().str.match(HEMOGLOBIN)
    is_hemoglobin |= shard.genes["gene"].isin(HEMOGLOBIN_IDS)

    def percent(chosen: pd.Series) -> np.ndarray:
        part = cell_totals(counts[:, np.flatnonzero(chosen)])
        return np.asarray(100 * part / np.maximum(totals, 1))

    return pd.DataFrame(
        {
            "barcode": shard.barcodes,
            "total_counts": totals.astype(np.int64),
            "n_genes": np.diff(counts.indptr).astype(np.int64),
            "pct_mt": percent(are_mitochondrial(shard.genes)),
            "pct_hb": percent(is_hemoglobin),
        }
    )


def warn_without_mitochondria(shard: Shard, *, sample: str) -> None:
    """Warn if no gene is mitochondrial, or none has a UMI: then dying cells cannot be told."""
    chosen = np.flatnonzero(are_mitochondrial(shard.genes))
    if not len(chosen):
        missing = f"no mitochondrial gene among its {len(shard.genes):,}"
    elif len(shard.barcodes) and not shard.counts[:, chosen].sum():
        missing = f"no UMI of its {len(chosen)} mitochondrial genes"
    else:
        return
    logger.warning(
        "sample %s: %s: %% mitochondrial is 0 in every cell, and dying cells pass quality control; "
        "give a matrix with the genes of the mitochondrial genome (MT-CO1, MT-ND1, ...)",
        *(sample, missing),
    )
