import gc
import hashlib
import inspect
import os
import re
import sys
from dataclasses import asdict
from functools import cache
from itertools import batched
from pathlib import Path

from snakemake.logging import logger as snakemake_log

from lammscope.cohort import (
    checks,
    contrast_checks,
    definition,
    disk_space,
    labels,
    last_run,
    multiverse,
    outside,
    parts,
    results_folder,
    sorts,
)
from lammscope.cohort.contrast_kinds import as_values
from lammscope.cohort.named_files import named_files
from lammscope.cohort.remote import is_address
from lammscope.cohort.remote_access import RemoteAccess
from lammscope.cohort.sample_table import sample_table_text
from lammscope.cohort.sex_genes import sex_gene_pattern
from lammscope.core.cache_folders import set_cache_folders
from lammscope.core.console import make_quiet
from lammscope.core.digests import code_digest, file_digest
from lammscope.core.disks import unwritable
from lammscope.core.names import AUTO, DROP, LAMM_ROWS, NONE
from lammscope.core.resources import HOME, find_resource
from lammscope.core.shards import CHECKSUM
from lammscope.expression.packages import missing_package
from lammscope.joint.integration import METHODS, obsm_name, other_modules
from lammscope.joint.integration.method import COMPONENTS, COUNTS
from lammscope.report.catalog import read_catalog
from lammscope.report.figures.catalog import drawing_functions, figure_names, find_figure
from lammscope.report.results import COHORT_TABLES, CONTRAST_TABLES, OPTIONAL_TABLES

# Rules and jobs are hundreds of thousands of objects that stay; to look for garbage after each 700
# new ones takes a tenth of the start.
gc.set_threshold(50_000)
WITHOUT_SCIENCE = ["lammscope.core.runtime"]  # edits of these modules do not change results


def stop(heading, lines):
    """Print messages and end the run, without a traceback that would not help a user."""
    print(heading, *lines, sep="\n  ", file=sys.stderr)
    sys.exit(1)


def quiet_console():
    """Print a line per stage, unless the command line asks for more (`-p`) or less (`--quiet`).

    Within another workflow, the console is that workflow's.
    """
    asked = workflow.output_settings
    asked_otherwise = asked.quiet or asked.printshellcmds or asked.verbose or asked.debug_dag
    is_own = workflow.modifier.is_main_snakefile()
    if workflow.is_main_process and is_own and not asked_otherwise:
        make_quiet(snakemake_log, stages=stages_of_rules, dry_run=asked.dryrun)


def stages_of_rules():
    """Return the stage of each rule, which is the name of its file."""
    return {rule.name: Path(rule.snakefile).stem for rule in workflow.rules if rule.name != "all"}


@cache
def code(script, *functions, without=()):
    """Return a digest of a script and its imports; as a param, it makes an edit rerun the rule.

    `functions` are dotted names of functions that the script calls without importing them. Modules in
    `without` are ignored. Only the main process compares and records params, so the processes of jobs
    skip the computation.
    """
    if not workflow.is_main_process:
        return ""
    path = HOME / "workflow" / "scripts" / f"{script}.py"
    return code_digest(
        path,
        package=HOME / "lammscope",
        calls=functions,
        leave_out=[*WITHOUT_SCIENCE, *without],
    )


def drawing_code(group, *others):
    """Digest of the script that draws a group of figures (and others), and of what draws them."""
    functions = [drawing_functions(name) for name in (group, *others)]
    return code(f"draw_{group}", *(path for own in functions for path in own.values()))


def content(*paths):
    """Return a digest of files that are not input: files of the workflow or named in the config."""
    if not workflow.is_main_process:
        return ""
    return file_digest(*(find_resource(path) for path in paths if path))


def named(**params):
    """Return the params of a rule with a digest of their names and values.

    Snakemake compares the values of params without their names, so it would miss a seed changed to
    15 if the number of neighbors was 15 before.
    """
    if not workflow.is_main_process:
        return params
    compared = {
        name: value
        for name, value in params.items()
        if not callable(value) or list(inspect.signature(value).parameters) == ["wildcards"]
    }

    def names(wildcards):
        values = {k: v(wildcards) if callable(v) else v for k, v in compared.items()}
        return hashlib.sha256(repr(values).encode()).hexdigest()[:16]

    return params | {"names": names}


def check_results_folder():
    """Stop if the results are of another cohort, and note files of former samples and contrasts."""
    folder = workflow.pathvars.apply("<results>")
    patterns = [path for entry in read_catalog().values() for path in entry.paths]
    try:
        outside.refuse_unsafe_folders(
            {
                name: workflow.pathvars.apply(f"<{name}>")
                for name in ("results", "logs", "benchmarks")
            },
            config,
            RUN.samples,
            sources=workflow.configfiles,
            patterns=patterns,
        )
    except ValueError as error:
        stop(outside.UNSAFE, [error])
    try:
        results_folder.refuse_other_cohort(folder, RUN.samples, sheet=config["samples"])
    except ValueError as error:
        stop(results_folder.OTHER_COHORT, [error])
    RUN.notes.extend(
        results_folder.out_of_date(
            folder,
            patterns=patterns,
            present={
                "sample": SAMPLES,
                "part": KEPT_PARTS,
                "channel": CHANNELS,
                "contrast": CONTRASTS,
                "folder": MULTIVERSE_FOLDERS,
            },
        )
    )


def check_disk_space():
    """Note if the results may not fit on the disk, or in a dry run that it cannot be written."""
    folder = workflow.pathvars.apply("<results>")
    note = workflow.output_settings.dryrun and unwritable(folder)
    note = note or disk_space.lack_of_space(
        folder,
        samples=set(SAMPLES) - RUN.known,
        sizes=SIZES,
        compression=config["inputs"]["compression"],
    )
    RUN.notes.extend([note] if note else [])


# Its matrices may be archived.
LAST_RUN = last_run.read_last_run(workflow.pathvars.apply("<results>"))
SERVERS = RemoteAccess(workflow)
try:
    RUN = checks.check_run(
        config,
        sources=workflow.configfiles,
        look=workflow.is_main_process,
        last=LAST_RUN,
        look_up=SERVERS.look_up,
    )
except ValueError as error:
    stop(*checks.refusal(error))
config.update(RUN.config)
SHEET = RUN.samples.set_index("sample", drop=False)
SAMPLES = SHEET.index.tolist()
SIZES = parts.sizes_of(
    SHEET["counts"], records=LAST_RUN.records if LAST_RUN else {}, remote=RUN.remote.sizes
)
PARTS = parts.divide_samples(SAMPLES, sizes=SIZES)  # one job each, to read matrices in
KEPT_PARTS = parts.join_parts(PARTS, sizes=SIZES)  # one job each, to read kept cells
# Cores reserved for steps on all cells: in a small cohort they take a second, and to wait for another
# core takes longer.
IS_SMALL = sum(SIZES.values()) < 100 * 2**20  # some 30,000 cells as 10x HDF5
JOINT_THREADS = 1 if IS_SMALL else config["threads"]
# Of a short job on a slow node, whose libraries come from a disk shared by many. In a small cohort the
# jobs of a group add up, and queues may have limits.
MINUTES = 3 if IS_SMALL else 10
TRAINING = 240  # minutes to train a model
CHANNELS = SHEET["sample"].groupby(SHEET["channel"]).agg(list).to_dict()
INGESTED = {  # what is written of each sample when it is read in
    "shards": "<results>/shards/{sample}.h5ad",
    "qc": "<results>/qc/{sample}.parquet",
    "moments": "<results>/qc/{sample}.moments.parquet",
    "contamination": "<results>/qc/{sample}.contamination.tsv",
}
DOUBLETS = "<results>/doublets/{channel}.parquet"
CONTRASTS = {contrast.name: as_values(contrast) for contrast in RUN.contrasts}
# The engines of limma take seconds per contrast, and are no faster with several threads; others take
# minutes.
IS_LIMMA = config["expression"]["engine"].startswith("limma")
CONTRASTS_PER_JOB, EXPRESSION_THREADS = (4, 1) if IS_LIMMA else (1, config["threads"])
EXPRESSION_MINUTES = MINUTES if IS_LIMMA else 60
CONTRAST_PARTS = {
    f"{number:03d}": names for number, names in enumerate(batched(CONTRASTS, CONTRASTS_PER_JOB), 1)
}
PERMUTATION = {key: config["abundance"][key] for key in ("max_exact", "n_draws")}
ABUNDANCE_TESTS = {key: config["abundance"][key] for key in ("min_cells", "exclude_pre_post")}
EXPRESSION_TESTS = {
    "min_cells": config["expression"]["min_cells"],
    "exclude": [
        *config["expression"]["exclude"],
        *([sex_gene_pattern()] if config["expression"]["exclude_sex_genes"] else []),
        config["car"]["features"],
    ],
    "max_ambient_share": config["expression"]["max_ambient_share"],
}
AXIS_GROUPS = {role: config["axis"][role] for role in ("myeloid", "T", "other")}
AXIS_PRIMARY = config["axis"]["primary"] | {
    "contrast": config["axis"]["primary"]["contrast"] or config["primary"]["contrast"]
}
ENDPOINTS = [asdict(endpoint) for endpoint in RUN.endpoints]
# Columns that only survival reads, unless a contrast names them. They change with each data cut.
FOLLOW_UP = sorted(
    {column for endpoint in RUN.endpoints for column in endpoint.columns}
    - {column for contrast in RUN.contrasts for column in contrast.columns}
)
LAMM_GENES = [
    *config["lamm"]["definers"],
    *(gene for veto in config["lamm"]["vetoes"].values() for gene in veto["genes"]),
]
PHASES = SHEET["phase"].fillna("other").to_dict()
CAR_SORTED = sorts.car_sorted_samples(SHEET, config["sorts"])
TYPE_MODEL = config["annotation"]["celltypist_model"]
RESOLUTIONS = sorted({config["clustering"]["resolution"], *config["clustering"]["resolutions"]})
METHOD = config["integration"]["method"]
COMPARED = [
    method
    for method in dict.fromkeys([NONE, *config["integration"]["candidates"], METHOD])
    if method != AUTO
]
SPACES = {
    method: f"<results>/joint/{'pca' if method == NONE else method}.npz"
    for method in (*COMPARED, METHOD)
}
WITH_CONTIGS = SHEET.index[SHEET["contigs"].notna()].tolist() if "contigs" in SHEET else []
# Other choices of the analysis; None if the config lists none.
MULTIVERSE = RUN.multiverse
MULTIVERSE_FOLDERS = [] if MULTIVERSE is None else MULTIVERSE.held("counts")
# What not every run has: groups of figures and of tables of the report.
MADE = {
    "survival": bool(ENDPOINTS),
    "multiverse": MULTIVERSE is not None,
    "replication": RUN.definition is not None,
}
EXTRAS = [group for group, is_made in MADE.items() if is_made]
OPTIONAL_RULES = {
    **{f"integrate_{method}": method in COMPARED for method in METHODS},
    "choose_space": METHOD == AUTO,
    "label_cells": bool(TYPE_MODEL),
    "count_clones": bool(WITH_CONTIGS),
    "save_follow_up": "survival" in EXTRAS,
    **dict.fromkeys(("test_replication", "draw_replication"), "replication" in EXTRAS),
    "test_survival": "survival" in EXTRAS,
    "reassess_samples": False,  # intermediate files of folders of the multiverse
}
JOINT_SPACE = SPACES[METHOD]
OF_SAMPLES = ("min_cells", "on_failed")  # keys of `qc` that are about samples, not barcodes
FIRST, SOON = 20, 10  # priorities of rules that many jobs wait for, and of most others
TYPE_SETTINGS = {
    key: config["annotation"][key] for key in ("min_score", "min_margin", "cluster_weight")
}
NEIGHBOR_SEARCH = {  # within samples or patients
    "n_neighbors": config["clustering"]["n_neighbors"],
    "seed": config["seed"],
    "threads": 1,
}
REPORT_PARTS = {  # of the cohort's figures in `snakemake --report`, by section
    "quality": "Quality control",
    "types": "Cell types",
    **dict.fromkeys(("calls", "definers", "patients", "programs"), "LAMM cells"),
    "associations": "LAMM cells and T cells",
    "survival": "Follow-up",
    "multiverse": "Other choices",
    "replication": "Replication",
}
CALL_FILES = ("references", "state_genes")  # keys of `lamm`
CALL_SETTINGS = {key: value for key, value in config["lamm"].items() if key not in CALL_FILES}
LABELS = labels.sample_labels(RUN.samples)  # names of samples in figures and in the report
# What only figures, the report or survival read is no part of the table that analyses read, so it
# reruns none of them when it changes.
NOT_ANALYZED = [
    "contigs",
    *FOLLOW_UP,
    *({labels.LABEL} - {column for contrast in RUN.contrasts for column in contrast.columns}),
]
# LAMM at the configured level, and the row of the other level.
TESTED_LAMM_ROWS = [row for row in LAMM_ROWS if row != f"LAMM_{config['lamm']['level']}"]
if workflow.is_main_process:
    set_cache_folders()
    check_results_folder()
    check_disk_space()


wildcard_constraints:
    sample="|".join(map(re.escape, SAMPLES)),
    part="|".join(KEPT_PARTS),
    channel="|".join(map(re.escape, CHANNELS)),
    contrast="|".join(map(re.escape, CONTRASTS)) or "none",


@cache
def to_ingest(part):
    """Return the samples that the job of a part reads in: all, unless some matrices are archived.

    Samples with an archived matrix keep their files. If the others are unchanged, all stay as they
    are: Snakemake plans no job that lacks input.
    """
    unread = [sample for sample in PARTS[part] if sample not in RUN.known]
    files = [SHEET.at[sample, "counts"] for sample in PARTS[part]]
    files += [path for sample in PARTS[part] if (path := given(sample, "barcodes"))]
    is_whole = all(RUN.remote.file(path) or Path(path).exists() for path in files)
    return PARTS[part] if is_whole or not unread else unread


def matrices(part):
    """Return the matrices that the job of a part reads, those on servers as files to fetch."""
    return [
        SERVERS.as_input(
            SHEET.at[sample, "counts"], state=RUN.inputs.get(sample, ""), remote=RUN.remote
        )
        for sample in to_ingest(part)
    ]


def qc_of(sample, qc=config["qc"]):
    """Return the quality thresholds of a sample: the config's, or those in its own columns."""
    limits = {k: v for k, v in qc.items() if k not in OF_SAMPLES}
    own = {name: SHEET[name].dropna().get(sample) for name in limits if name in SHEET}
    return limits | {name: float(value) for name, value in own.items() if value is not None}


def ingest_settings(part):
    """Return how each sample of a part is read in.

    `state` is the size or checksum of its files: one that was replaced by an older one has no newer
    time, which is all that Snakemake compares.
    """
    states = input_states(to_ingest(part))
    return {
        sample: {
            "qc": qc_of(sample),
            "genome": given(sample, "genome"),
            "layer": given(sample, "layer"),
            "state": state,
            "remote": state if is_address(SHEET.at[sample, "counts"]) else "",
        }
        for sample, state in states.items()
    }


def input_states(samples):
    """Return the states of the inputs of samples that share a job.

    They are those that were recorded, unless one of the samples is read in: then all are, and their
    states are recorded again.
    """
    states = {sample: RUN.inputs.get(sample, "") for sample in samples}
    known = [sample for sample in samples if sample in RUN.known]
    if workflow.is_main_process and 0 < len(known) < len(samples):
        table = SHEET.loc[known].reset_index(drop=True)
        states |= last_run.input_states(table, None, compare=config["inputs"]["compare"])
    return states


def verdicts_to_drop(wildcards):
    """Return the verdicts on samples if the cells of those that fail are left out.

    Else they are no input of the cells, and a corrected sex in a sheet reruns no embedding.
    """
    return "<results>/qc/verdicts.tsv" if config["qc"]["on_failed"] == DROP else []


def doublets_of(channel):
    """Return the settings of doublet detection in a channel: the config's and its samples' own."""
    own = {
        name: SHEET.loc[CHANNELS[channel], column].dropna()
        for column, name in {"expected_cells": "expected_cells", "doublet_rate": "rate"}.items()
        if column in SHEET
    }
    given_once = {name: float(values.iloc[0]) for name, values in own.items() if len(values)}
    return config["doublets"] | given_once


def given(sample, column):
    """Return a sample's value in an optional column, or None."""
    value = SHEET.at[sample, column] if column in SHEET else None
    return value if isinstance(value, str) else None


def contigs_by_sample():
    """Return what is known of the samples with contigs; nothing of their response."""
    columns = ["sample", "patient", "phase", "compartment", "day"]
    rows = SHEET.loc[WITH_CONTIGS].reindex(columns=columns).astype(object)
    return rows.where(rows.notna(), None).to_dict("list")


def contig_states():
    """Return the size or checksum of each table of contigs, as of the matrices in `input_states`."""
    if not workflow.is_main_process:
        return {}
    files = {sample: given(sample, "contigs") for sample in WITH_CONTIGS}
    if config["inputs"]["compare"] == CHECKSUM:
        return {sample: content(path) for sample, path in files.items()}
    return {sample: f"{os.path.getsize(path)} bytes" for sample, path in files.items()}


def samples_of_part(wildcards):
    """Return the samples that one job processes, in the order of the cell index."""
    return KEPT_PARTS[wildcards.part]


def shards_of_part(wildcards):
    """Return the per-sample count files of the samples that one job processes."""
    return expand("<results>/shards/{sample}.h5ad", sample=samples_of_part(wildcards))


def contamination_of_part(wildcards):
    """Return the contamination tables of the samples that one job processes."""
    return expand("<results>/qc/{sample}.contamination.tsv", sample=samples_of_part(wildcards))


def contrast_figures(group, suffix):
    """Return the contrasts and paths of the figures of a group."""
    return [
        (contrast, f"<results>/figures/{contrast}/{figure}.{suffix}")
        for contrast in CONTRASTS
        for figure in figure_names(group)
    ]


def shown(*groups):
    """Return the cohort's figures of some groups as items of `snakemake --report`."""
    return [
        shown_figure(
            f"<results>/figures/cohort/{name}.png",
            category="3 Cohort",
            subcategory=REPORT_PARTS[find_figure(name).section],
        )
        for name in figure_names(*groups)
    ]


def shown_by_contrast(group):
    """Return the figures of a group, for each contrast, as items of `snakemake --report`."""
    return [
        shown_figure(path, category="2 Contrasts", subcategory=contrast, contrast=contrast)
        for contrast, path in contrast_figures(group, "png")
    ]


def shown_figure(path, *, category, subcategory, **labels):
    """Return a figure as an item of `snakemake --report`, with the title that it has in the report."""
    entry = find_figure(Path(path).stem)
    caption = f"../report/{entry.group}.rst"
    labels = {"figure": entry.title, **labels}
    return report(path, caption=caption, category=category, subcategory=subcategory, labels=labels)


def needs(base, factor, of=sum, minutes=MINUTES):
    """Return the memory and disk space in MB and the minutes that a rule asks for.

    Memory is `base` plus `factor` times the input size. Input sizes are summed, or `of=max` takes the
    largest if a job loads one input at a time. Time is `minutes`, and one more for each 20 MB. Both
    increase with each retry. `disk_mb` is for engines that copy files to where the job runs; if it
    were not stated, Snakemake would compute it from the sizes of all inputs of every job.
    """

    def mem_mb(wildcards, input, attempt):
        return int((base + factor * of(sizes_mb(input))) * attempt)

    def runtime(wildcards, input, attempt):
        return int((minutes + sum(sizes_mb(input)) / 20) * attempt)

    def disk_mb(wildcards, input):
        return int(1000 + 3 * sum(sizes_mb(input)))

    return {"mem_mb": mem_mb, "runtime": runtime, "disk_mb": disk_mb}


def grouped(name):
    """Return a group of jobs that a cluster runs as one job if the cohort is small, or else none.

    The memory that jobs of a group need is unknown while their inputs are yet to be made.
    """
    return name if IS_SMALL else None


def sizes_mb(files):
    """Return the sizes of input files; the first that is missing raises a FileNotFoundError.

    In a small cohort, missing files count as nothing, for jobs whose inputs are made by others of
    their group. Snakemake's own `size_files_mb` runs a task for each file, also if the first is
    missing, as in a dry run. It is needed for files in remote storage.
    """
    if any(path.is_storage for path in files):
        return files.size_files_mb
    present = filter(os.path.exists, files) if IS_SMALL else files
    return [0, *(os.path.getsize(path) / 2**20 for path in present)]


def refuse_unwritable_results():
    """Stop if nothing can be written to the folder of results."""
    if message := unwritable(workflow.pathvars.apply("<results>")):
        stop("lammscope: the results cannot be written; nothing was run:", [message])


def refuse_missing_packages():
    """Stop if the package of an integration method or of the engine in use is not installed."""
    deployed = bool(workflow.deployment_settings.deployment_method)
    if message := missing_package(config["expression"]["engine"], own_environment=deployed):
        stop("lammscope: a package is missing; nothing was run:", [message])
    used = [*COMPARED, *(MULTIVERSE.choices["integration"] if MULTIVERSE else [])]
    needed = [method for name, method in METHODS.items() if name in used]
    missing = [method.missing for method in needed if not method.is_installed()]
    if missing and not deployed:
        stop("lammscope: a package is missing; nothing was run:", missing)


def announce_run():
    """Print the plan, also in a dry run, and stop if the arms of a contrast are aliased.

    Arms are aliased if they cannot be separated from a covariate. Imported here, since the processes
    of jobs need no plan.
    """
    from lammscope.cohort.plan import plan_text

    print(plan_text(RUN), end="\n\n", file=sys.stderr, flush=True)
    aliased = contrast_checks.aliased_contrasts(RUN.comparisons)
    if aliased:
        stop(contrast_checks.ALIASED, aliased.values())


if workflow.is_main_process:
    announce_run()


def call_files(wildcards, input):
    """Return the paths of files that LAMM calls need, as in `config_path`."""
    return {name: config["lamm"][name] for name in CALL_FILES}


def config_path(section, key):
    """Return a path or paths of the config as a param that does not trigger reruns.

    Snakemake does not compare params that depend on the input. Use `content` to rerun on changes.
    """

    def path(wildcards, input):
        return config[section][key]

    return path


def every_result():
    """Return all result files of the config, from per-sample count files to the report.

    Snakemake does not recreate a missing file if the files made from it exist, so all are targets.
    """
    scripts = sorted(path.stem for path in (HOME / "workflow" / "scripts").glob("*.py"))
    names = [*scripts, *(f"integrate_{method}" for method in METHODS)]
    names += [f"test_expression_{part}" for part in CONTRAST_PARTS]
    wanted = [name for name in names if rules.has(name) and OPTIONAL_RULES.get(name, True)]
    outputs = [INGESTED.values(), DOUBLETS, *(getattr(rules, name).output for name in wanted)]
    return [
        expand(
            output,
            sample=SAMPLES,
            part=KEPT_PARTS,
            channel=CHANNELS,
            contrast=CONTRASTS,
            folder=MULTIVERSE_FOLDERS,
        )
        for output in outputs
    ]


def report_tables():
    """Return the tables of the report by name: one file of the cohort, or one per contrast."""
    catalog = read_catalog()
    absent = {name for group, names in OPTIONAL_TABLES.items() if not MADE[group] for name in names}
    tables = [name for name in COHORT_TABLES if name not in absent]
    cohort = {name: f"<results>/{catalog[name].path}" for name in tables}
    contrasts = {
        name: collect(f"<results>/{catalog[name].path}", contrast=CONTRASTS)
        for name in CONTRAST_TABLES
    }
    return cohort | contrasts


def batches():
    """Return the batch of every sample, as plain values."""
    return values_of(config["integration"]["batch"])


def values_of(column):
    """Return a column of the sample table by sample, as plain text; nothing where it is empty."""
    known = SHEET[column].dropna() if column in SHEET else SHEET["sample"].iloc[:0]
    return known.astype(str).to_dict()
