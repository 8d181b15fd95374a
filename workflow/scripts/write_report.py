"""Write the report: one HTML file with all figures and tables."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.contrast_kinds import make_contrasts
from lammscope.cohort.named_files import file_checksums
from lammscope.core.damage import read_json
from lammscope.core.digests import checksum
from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log, whole_file
from lammscope.core.versions import software_versions
from lammscope.report.methods.facts import facts_of
from lammscope.report.methods.text import write_methods
from lammscope.report.page import write_report
from lammscope.report.results import read_results
from lammscope.report.sections.primary import state_primary

snakemake: Snakemake
with job_log(snakemake.log[0]):
    config = snakemake.params.config
    contrasts = make_contrasts(snakemake.params.contrasts)
    index = CellIndex(snakemake.input.index)
    inputs = dict(snakemake.input.items())
    results = read_results(inputs, index, contrasts=contrasts, labels=snakemake.params.labels)
    methods = write_methods(facts_of(results, config=config, versions=software_versions()))
    samples = {"design/samples.tsv": checksum(snakemake.input.samples)}
    with whole_file(snakemake.output.methods) as temporary:
        temporary.write_text(methods.markdown, encoding="utf-8")
    write_report(
        snakemake.output.report,
        results,
        config=config,
        primary_sentence=state_primary(results, config=config),
        methods=methods,
        checksums=samples | file_checksums(config),
        figures=snakemake.input.figures,
        cell_map=read_json(snakemake.input.cell_map),
    )
