"""Read the count matrices of some samples, flag barcodes, and estimate ambient RNA."""

import numpy as np
from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import write_table
from lammscope.core.runtime import Failures, job_log
from lammscope.core.shards import write_shard
from lammscope.ingest.inputs import record_input
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.moments import gene_moments
from lammscope.ingest.quality.assess import assess_sample
from lammscope.ingest.quality.contamination import describe_contamination

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger, Failures() as failures:
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    lists = dict(zip(params.with_barcodes, inputs.barcodes, strict=True))
    files = zip(output.shards, output.qc, output.moments, output.contamination, strict=True)
    for sample, path, own in zip(params.settings, inputs.matrices, files, strict=True):
        with failures.of(sample):
            settings, barcodes = params.settings[sample], lists.get(sample, [])
            chosen = {"genome": settings["genome"], "layer": settings["layer"]}
            matrix = read_matrix(path, **chosen)
            rng = np.random.default_rng(params.seed)
            shard, qc, ambient = assess_sample(
                matrix, sample=sample, barcodes=barcodes, limits=settings["qc"], rng=rng
            )
            how = {"compared": params.compared, "remote": settings["remote"]}
            record = record_input(path, barcodes=barcodes, shard=shard, **how, **chosen)
            write_shard(shard, own[0], compression=params.compression, record=record)
            write_table(qc, own[1])
            write_table(gene_moments(shard, qc["passes"].to_numpy()), own[2])
            write_table(ambient, own[3])
            logger.info("%s: %d of %d barcodes pass QC", sample, qc["passes"].sum(), len(qc))
            logger.info(describe_contamination(ambient, sample=sample))
