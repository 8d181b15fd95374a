"""Audit the design: arms, pairs, aliasing, confounding, the smallest p, and ambient RNA."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.audit import audit_design
from lammscope.cohort.audit_soup import read_soups
from lammscope.cohort.comparison import compare
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.ambient.table import read_fractions
from lammscope.core.indexed import write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]):
    contrasts = [make_contrast(**definition) for definition in snakemake.params.contrasts]
    samples = read_sample_table(snakemake.input.samples)
    audit = audit_design(
        samples,
        compare(samples, contrasts),
        sorts=snakemake.params.sorts,
        contamination=read_fractions(samples["sample"], snakemake.input.contamination),
        soups=read_soups(samples["sample"], snakemake.input.shards),
        **snakemake.params.permutation,
    )
    write_table(audit, snakemake.output.audit)
