"""Select the highly variable genes from the samples' moments."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.joint.variable_genes import pool_moments, select_genes

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger:
    reference = read_table(snakemake.input.reference)
    moments = pool_moments(map(read_table, snakemake.input.moments), reference=reference)
    genes = select_genes(
        moments, car_features=snakemake.params.car_features, **snakemake.params.settings
    )
    write_table(genes, snakemake.output.genes)
    logger.info("%d of %d shared genes chosen", len(genes), len(moments))
