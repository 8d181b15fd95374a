"""Quality control of one sample, from its count matrix to its flagged barcodes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lammscope.core.names import PROFILE
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.barcodes import own_positions
from lammscope.ingest.quality.ambient import find_ambient
from lammscope.ingest.quality.contamination import ambient_genes, sample_contamination
from lammscope.ingest.quality.deviance import profile_of_calls, relative_deviance
from lammscope.ingest.quality.limits import Limits, flag_cells
from lammscope.ingest.quality.lineages import are_small_cells, quick_lineages
from lammscope.ingest.quality.metrics import (
    cell_metrics,
    split_ambient,
    warn_without_mitochondria,
)


def assess_sample(
    matrix: Shard,
    *,
    sample: str,
    barcodes: str | Sequence[str],
    limits: Mapping[str, float],
    rng: np.random.Generator,
) -> tuple[Shard, pd.DataFrame, pd.DataFrame]:
    """Assess a sample as `assess` does, given the values of its settings.

    Parameters
    ----------
    matrix
        Counts of all barcodes of a matrix.
    sample
        Name of the sample, for messages and for the column `sample` of `contamination`.
    barcodes
        The list of the sample's barcodes in a pooled channel; empty if it has its own matrix.
    limits
        Keys of the config's section `qc` that are about barcodes.
    rng
        Source of randomness.
    """
    values = dict(limits)
    floor = int(values.pop("ambient_max_counts"))
    own = own_positions(barcodes, matrix.barcodes)
    shard, qc, contamination = assess(
        matrix, own, Limits(**values), ambient_max_counts=floor, rng=rng
    )
    warn_without_mitochondria(shard, sample=sample)
    contamination.insert(0, "sample", sample)
    return shard, qc, contamination


def assess(
    matrix: Shard,
    own: np.ndarray,
    limits: Limits,
    *,
    ambient_max_counts: int,
    rng: np.random.Generator,
) -> tuple[Shard, pd.DataFrame, pd.DataFrame]:
    """Drop nearly empty barcodes, flag those that are not intact single cells, find ambient RNA.

    Parameters
    ----------
    matrix
        Counts of all barcodes of a matrix.
    own
        Positions of the sample's own barcodes.
    limits
        Floors, ceilings and widths.
    ambient_max_counts
        Barcodes with fewer UMIs than this are summed as ambient RNA and dropped.
    rng
        Source of randomness.

    Returns
    -------
    shard
        The other barcodes. `genes` has `ambient_counts`, one sum per gene, and `ambient_profile`,
        the share of each gene in ambient RNA.
    qc
        Their metrics and flags, from `flag_cells`.
    contamination
        Share of ambient RNA in the cells that pass, from `sample_contamination`.
    """
    calls = find_ambient(matrix.counts, ambient_max_counts=ambient_max_counts, rng=rng)
    shard = split_ambient(matrix, own, ambient_max_counts=ambient_max_counts)
    profile, source = ambient_genes(matrix, calls, lower=ambient_max_counts)
    shard = Shard(shard.counts, shard.barcodes, shard.genes.assign(**{PROFILE: profile}))
    metrics = cell_metrics(shard)
    nearest = profile_of_calls(matrix.counts, calls, lower=ambient_max_counts)
    metrics["ambient_deviance"] = relative_deviance(shard.counts, nearest)
    ambient = np.isin(shard.barcodes, matrix.barcodes[calls.is_ambient])
    lineages = quick_lineages(shard)
    if calls.source:
        ambient &= ~are_small_cells(shard, lineages, ambient=ambient, profile=calls.profile)
    qc = flag_cells(metrics, limits, lineages=lineages, ambient=ambient)
    rows = np.flatnonzero(qc["passes"])
    contamination = sample_contamination(
        Shard(shard.counts[rows], shard.barcodes[rows], shard.genes),
        profile=profile,
        source=source,
        lineages=lineages[rows],
        rng=rng,
    )
    return shard, qc, contamination
