"""Read the count matrix of a sample, flag its barcodes, and estimate moments and ambient RNA."""

import numpy as np
from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import write_table
from lammscope.core.runtime import job_log
from lammscope.core.shards import write_shard
from lammscope.ingest.inputs import record_input
from lammscope.ingest.matrices.barcodes import own_positions
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.moments import gene_moments
from lammscope.ingest.quality.assess import assess
from lammscope.ingest.quality.contamination import describe_contamination
from lammscope.ingest.quality.limits import Limits
from lammscope.ingest.quality.metrics import warn_without_mitochondria

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger:
    inputs, params = snakemake.input, snakemake.params
    settings = dict(params.qc)
    floor = settings.pop("ambient_max_counts")
    chosen = {"genome": params.genome, "layer": params.layer}
    matrix = read_matrix(inputs.matrix, **chosen)
    own = own_positions(inputs.barcodes, matrix.barcodes)
    rng = np.random.default_rng(params.seed)
    shard, qc, ambient = assess(matrix, own, Limits(**settings), ambient_max_counts=floor, rng=rng)
    warn_without_mitochondria(shard, sample=snakemake.wildcards.sample)
    record = record_input(
        inputs.matrix, barcodes=inputs.barcodes, shard=shard, compared=params.compared, **chosen
    )
    write_shard(shard, snakemake.output.shard, record=record)
    write_table(qc, snakemake.output.qc)
    write_table(gene_moments(shard, qc["passes"].to_numpy()), snakemake.output.moments)
    ambient.insert(0, "sample", snakemake.wildcards.sample)
    write_table(ambient, snakemake.output.contamination)
    logger.info("%d of %d barcodes pass quality control", qc["passes"].sum(), len(qc))
    logger.info(describe_contamination(ambient, sample=snakemake.wildcards.sample))
