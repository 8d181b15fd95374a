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
    names = ("counts", "qc_summary", "gene_overlap", "clusters", "audit", "lamm_results")
    cohort_tables = {name: read_table(snakemake.input[name]) for name in (*names, "calibration")}
    names = ("abundance", "robustness", "neighborhoods", "expression", "missing", "gene_sets")
    tables = {
        name: dict(zip(contrasts, map(read_table, snakemake.input[name]), strict=True))
        for name in names
    }
    write_report(
        snakemake.output.report,
        template=snakemake.input.template,
        config=config,
        contrasts=contrasts,
        versions=software_versions(),
        primary_sentence=state_primary(tables["abundance"], contrasts, config=config),
        samples=read_samples(config),
        cells=cells,
        definers=definers_by_population(
            definer_counts([panel], definers=config["lamm"]["definers"]),
            total_counts=index_cells["total_counts"].to_numpy(),
            population=cells["population"],
        ),
        **cohort_tables,
        **tables,
        figures=snakemake.input.figures,
        **snakemake.params.settings,
    )
