"""Write the definition of the primary comparison, with its result, for a second cohort."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.contrast_kinds import make_contrasts
from lammscope.cohort.definition import frozen_files, frozen_settings
from lammscope.cohort.definition_file import definition_text
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table
from lammscope.core.runtime import job_log, whole_file
from lammscope.core.versions import software_versions
from lammscope.outcome.freeze import describe_cohort, frozen_estimate, recorded

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, inputs = snakemake.params, snakemake.input
    config, primary = params.config, params.config["primary"]
    contrast = make_contrasts(params.contrasts).get(primary["contrast"])
    tables = [read_table(path) for path in inputs.abundance]
    content = {
        "settings": frozen_settings(config, contrast),
        "files": frozen_files(config),
        "estimate": frozen_estimate(next(iter(tables), None), contrast, primary=primary),
        "cohort": describe_cohort(read_sample_table(inputs.samples), contrast, inputs.shards),
        "record": recorded(config, software_versions()),
    }
    with whole_file(snakemake.output.definition) as temporary:
        temporary.write_text(definition_text(content), encoding="utf-8")
