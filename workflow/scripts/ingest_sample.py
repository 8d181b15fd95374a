"""Read the count matrix of a sample, flag its barcodes, and compute moments of its genes."""

from lammscope.core.indexed import write_table
from lammscope.core.runtime import job_log
from lammscope.core.shards import write_shard
from lammscope.ingest.matrices.barcodes import own_positions
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.moments import gene_moments
from lammscope.ingest.qc import (
    cell_metrics,
    describe_yield,
    flag_cells,
    split_ambient,
    warn_without_mitochondria,
)

with job_log(snakemake.log[0]) as logger:
    limits = dict(snakemake.params.qc)
    floor = limits.pop("ambient_max_counts")
    matrix = read_matrix(snakemake.input.matrix, genome=snakemake.params.genome)
    own = own_positions(snakemake.input.barcodes, matrix.barcodes)
    shard = split_ambient(matrix, own, ambient_max_counts=floor)
    qc = flag_cells(cell_metrics(shard), **limits)
    moments = gene_moments(shard, qc["passes"].to_numpy())
    warn_without_mitochondria(shard, sample=snakemake.wildcards.sample)
    write_shard(shard, snakemake.output.shard)
    write_table(qc, snakemake.output.qc)
    write_table(moments, snakemake.output.moments)
    logger.log(*describe_yield(qc, sample=snakemake.wildcards.sample))
