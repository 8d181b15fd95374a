"""Write the report: one HTML file with all figures and tables."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.contrast_kinds import make_contrasts
from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log
from lammscope.core.versions import software_versions
from lammscope.report.page import write_report
from lammscope.report.results import read_results
from lammscope.report.sections.primary import state_primary

snakemake: Snakemake
with job_log(snakemake.log[0]):
    config = snakemake.params.config
    contrasts = make_contrasts(snakemake.params.contrasts)
    index = CellIndex(snakemake.input.index)
    labels = snakemake.params.labels
    inputs = dict(snakemake.input.items())
    results = read_results(inputs, index, contrasts=contrasts, labels=labels)
    write_report(
        snakemake.output.report,
        results,
        config=config,
        primary_sentence=state_primary(results, config=config),
        versions=software_versions(),
        figures=snakemake.input.figures,
    )
