"""Flag the barcodes of some samples by other quality limits, and compute gene moments."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import Failures, job_log
from lammscope.core.shards import read_shard
from lammscope.ingest.moments import gene_moments
from lammscope.ingest.quality.reassess import reassess

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger, Failures() as failures:
    inputs, output, limits = snakemake.input, snakemake.output, snakemake.params.limits
    files = zip(inputs.shards, inputs.qc, output.qc, output.moments, strict=True)
    for (sample, own), (shard, before, after, moments) in zip(limits.items(), files, strict=True):
        with failures.of(sample):
            qc = reassess(read_table(before), limits=own)
            write_table(qc, after)
            write_table(gene_moments(read_shard(shard), qc["passes"].to_numpy()), moments)
            logger.info("%s: %d of %d barcodes pass QC", sample, qc["passes"].sum(), len(qc))
