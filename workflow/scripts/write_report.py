"""Write the report: one HTML file with every figure and table in it."""

from lammscope.definers import definer_counts, definers_by_population
from lammscope.primary import software_versions, state_primary
from lammscope.report import write_report
from lammscope.runtime import job_log
from lammscope.sheets import read_samples
from lammscope.sidecars import read_cells, read_table, stack_counts

with job_log(snakemake.log[0]):
    config, contrasts = snakemake.params.config, snakemake.params.contrasts
    index_cells, index = read_cells(snakemake.input.index)
    panel = stack_counts(snakemake.input.panel, index=index)[:2]
    cells = read_table(snakemake.input.cells, index=index)
    abundance = dict(zip(contrasts, map(read_table, snakemake.input.abundance), strict=True))
    expression = dict(zip(contrasts, map(read_table, snakemake.input.expression), strict=True))
    write_report(
        snakemake.output.report,
        template=snakemake.input.template,
        config=config,
        contrasts=contrasts,
        versions=software_versions(),
        primary_sentence=state_primary(abundance, contrasts, config=config),
        samples=read_samples(config),
        cells=cells,
        counts=read_table(snakemake.input.counts),
        qc_summary=read_table(snakemake.input.summary),
        gene_overlap=read_table(snakemake.input.overlap),
        clusters=read_table(snakemake.input.clusters),
        definers=definers_by_population(
            definer_counts([panel], definers=config["lamm"]["definers"]),
            total_counts=index_cells["total_counts"].to_numpy(),
            population=cells["population"],
        ),
        audit=read_table(snakemake.input.audit),
        abundance=abundance,
        expression=expression,
        figures=snakemake.input.figures,
        **snakemake.params.settings,
    )
