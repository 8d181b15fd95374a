"""Write the report: one HTML file with every figure and table in it."""

from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log
from lammscope.report.page import write_report
from lammscope.report.sections.primary import software_versions, state_primary

with job_log(snakemake.log[0]):
    config, contrasts = snakemake.params.config, snakemake.params.contrasts
    index = CellIndex(snakemake.input.index)
    names = ("counts", "qc_summary", "gene_overlap", "clusters", "audit", "lamm_results", "car")
    names = (*names, "calibration", "calls", "state_genes", "missing_markers", "population_genes")
    names = (*names, "integration_scores", "lost_populations", "lamm_kept", "stability")
    cohort_tables = {name: read_table(snakemake.input[name]) for name in names}
    names = ("abundance", "robustness", "neighborhoods", "expression", "missing", "gene_sets")
    tables = {
        name: dict(zip(contrasts, map(read_table, snakemake.input[name]), strict=True))
        for name in names
    }
    write_report(
        snakemake.output.report,
        config=config,
        contrasts=contrasts,
        versions=software_versions(),
        primary_sentence=state_primary(tables["abundance"], contrasts, config=config),
        samples=read_sample_table(snakemake.input.samples),
        cells=index.read_table(snakemake.input.cells),
        **cohort_tables,
        **tables,
        figures=snakemake.input.figures,
        **snakemake.params.settings,
    )
