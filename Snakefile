"""LAMMscope: from count matrices of patients to responder statistics and a report.

Stages, in order: ingest (per sample), joint (integrated embedding of all cells), annotate (cell types and
LAMM cells), abundance and expression (comparison of patients), report. See `README.md` for how to run it.
"""

from snakemake.utils import min_version

min_version("9.20")


# The config of the demo, unless the command line names another one, so that the two are not merged.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


pathvars:
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",


include: "workflow/rules/common.smk"
include: "workflow/rules/provenance.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/joint.smk"
include: "workflow/rules/annotate.smk"
include: "workflow/rules/abundance.smk"
include: "workflow/rules/neighborhoods.smk"
include: "workflow/rules/expression.smk"
include: "workflow/rules/axis.smk"
include: "workflow/rules/outcome.smk"


if MULTIVERSE:

    include: "workflow/rules/multiverse.smk"


include: "workflow/rules/report.smk"


quiet_console()
watch_failures()


onstart:
    refuse_unwritable_results()
    refuse_missing_packages()


onsuccess:
    save_run("finished", log)


onerror:
    save_run("failed", log)


rule all:
    default_target: True
    input:
        every_result(),


follow_results()
