"""Match genes across samples, and refuse samples of another reference."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.panel import load_panel, panel_symbols
from lammscope.core.indexed import read_table, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.gene_names import check_definers, match_genes
from lammscope.joint.gene_notes import note_genes

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger:
    tables = (read_table(path, columns=["gene", "symbol"]) for path in snakemake.input.moments)
    genes = dict(zip(snakemake.params.samples, tables, strict=True))
    reference, overlap = match_genes(genes, min_overlap=snakemake.params.min_overlap)
    check_definers(snakemake.params.definers, symbols=reference["symbol"])
    overlap = note_genes(
        overlap,
        genes,
        reference=reference,
        panel=panel_symbols(load_panel(find_resource(snakemake.params.panel))),
        definers=snakemake.params.definers,
    )
    write_table(reference, snakemake.output.reference)
    write_table(overlap, snakemake.output.overlap)
    logger.info("%d genes; lowest overlap %g %%", len(reference), overlap["pct_overlap"].min())
