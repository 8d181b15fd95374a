"""Note which mitochondrial genes, panel genes and defining markers each sample lacks."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.panel import load_panel, panel_symbols
from lammscope.core.indexed import read_table, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.gene_notes import note_genes

snakemake: Snakemake
with job_log(snakemake.log[0]):
    tables = (read_table(path, columns=["gene", "symbol"]) for path in snakemake.input.moments)
    overlap = note_genes(
        read_table(snakemake.input.matches),
        dict(zip(snakemake.params.samples, tables, strict=True)),
        reference=read_table(snakemake.input.reference),
        panel=panel_symbols(load_panel(find_resource(snakemake.params.panel))),
        definers=snakemake.params.definers,
    )
    write_table(overlap, snakemake.output.overlap)
