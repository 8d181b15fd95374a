"""Match genes across samples, and refuse samples of another reference."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.joint.gene_names import check_definers, match_genes

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger:
    tables = (read_table(path, columns=["gene", "symbol"]) for path in snakemake.input.moments)
    reference, matches = match_genes(
        dict(zip(snakemake.params.samples, tables, strict=True)),
        min_overlap=snakemake.params.min_overlap,
    )
    check_definers(snakemake.params.definers, symbols=reference["symbol"])
    write_table(reference, snakemake.output.reference)
    write_table(matches, snakemake.output.matches)
    logger.info("%d genes; lowest overlap %g %%", len(reference), matches["pct_overlap"].min())
