"""Save the config with all defaults."""

import yaml
from snakemake.iocontainers import Snakemake

from lammscope.core.runtime import job_log, whole_file

snakemake: Snakemake
with job_log(snakemake.log[0]), whole_file(snakemake.output.config) as temporary:
    temporary.write_text(yaml.safe_dump(snakemake.params.config, sort_keys=False), encoding="utf-8")
