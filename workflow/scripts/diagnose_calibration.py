"""The primary tests under permuted labels of the patients."""

import anndata

from lammscope.abundance.calibration import diagnose_calibration
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log

with job_log(snakemake.log[0]):
    table = diagnose_calibration(
        read_table(snakemake.input.counts),
        anndata.read_h5ad(snakemake.input.pseudobulk),
        read_sample_table(snakemake.input.samples),
        [Contrast(**definition) for definition in snakemake.params.contrasts],
        denominator=snakemake.params.denominator,
        abundance=snakemake.params.abundance,
        expression=snakemake.params.expression,
        sorts=snakemake.params.sorts,
        seed=snakemake.params.seed,
        **snakemake.params.calibration,
    )
    write_table(table, snakemake.output.table)
