from dataclasses import replace
from datetime import UTC, datetime

from snakemake.workflow import DAG
from snakemake.iocontainers import Wildcards

from lammscope.core.failures import FailureReport
from lammscope.core.run_lock import refuse_if_replaced
from lammscope.provenance.ancestry import (
    find_incomplete,
    find_stale,
    library_notes,
    lost_notes,
    read_records,
    split_lost,
    stale_notes,
)
from lammscope.provenance.lock import Guard, Lock
from lammscope.provenance.recorder import Recorder, key
from lammscope.provenance.records import Job
from lammscope.provenance.times import accept_older_outputs, order_times

STARTED = datetime.now(UTC)


def from_here(path):
    """Return a path relative to the folder of the run, if it lies in it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here) if Path(path).is_relative_to(here) else path)


def save_run(outcome, log):
    """Write the provenance of this call; it has a date, so it is the output of no rule.

    Imported here, since the processes of jobs do not need it.
    """
    from lammscope.provenance.run import Invocation, save_provenance

    deployment = sorted(str(name) for name in workflow.deployment_settings.deployment_method)
    command = ["snakemake", *sys.argv[1:]]
    logs = [from_here(path) for path in ([log] if isinstance(log, str) else log or [])]
    sheets = [("samples", RUN.config["samples"]), ("patients", RUN.config["patients"])]
    contigs = [("contigs", given(sample, "contigs")) for sample in WITH_CONTIGS]
    for recorder in RECORDERS:
        recorder.complete_all()
    try:
        save_provenance(
            workflow.pathvars.apply("<results>"),
            Invocation(STARTED, outcome, command, logs, deployment),
            config=RUN.config,
            files=[
                *(("config file", from_here(path)) for path in workflow.configfiles),
                *sheets,
                *named_files(RUN.config),
                *dict.fromkeys(contigs),
            ],
            jobs=RUN_JOBS.values(),
        )
    except OSError as error:
        print(f"lammscope: the provenance was not saved: {error}", file=sys.stderr)


def planned_jobs(own):
    """Return all jobs of the config by rule and wildcards, inputs before what is made from them."""
    concrete = {path: each for each in own if not each.wildcard_names for path in each.output}
    patterns = [each for each in own if each.wildcard_names]
    jobs, made = {}, set()

    def visit(path):
        maker = concrete.get(path) or next(
            (each for each in patterns if each.is_producer(path)), None
        )
        if path in made or maker is None:
            return
        wildcards = maker.get_wildcards(path)
        outputs = list(map(str, maker.expand_output(wildcards)[0]))
        made.update(outputs)
        expanded = maker.expand_input(wildcards)[0]
        inputs = list(dict.fromkeys(map(str, expanded)))
        remote = {str(each) for each in expanded if each.is_storage}
        for each in inputs:
            visit(each)
        jobs[key(maker.name, wildcards)] = Job(
            maker.name,
            outputs=tuple(map(below_results, outputs)),
            inputs=tuple(below_results(path) for path in inputs if path in made),
            given=tuple(path for path in inputs if path not in made and path not in remote),
            settings=maker.params.names(Wildcards(fromdict=wildcards)),
            log=str(maker.expand_log(wildcards)[0]),
            benchmark=str(maker.expand_benchmark(wildcards) or ""),
        )

    for target in [each for each in own if Path(each.snakefile).parent == HOME]:
        for path in target.expand_input({})[0]:
            visit(str(path))
    return jobs


def below_results(path):
    """Return the path of a result relative to the folder of results."""
    return Path(os.path.relpath(path, workflow.pathvars.apply("<results>"))).as_posix()


def has_same_matrices(job):
    """Test by content whether the matrices that a job has read are still the same."""
    names = {Path(path).stem for path in job.outputs if path.startswith("shards/")}
    if LAST_RUN is None or not names:
        return False
    last = replace(LAST_RUN, samples=LAST_RUN.samples[LAST_RUN.samples["sample"].isin(names)])
    return (
        set(last.samples["sample"]) == names
        and not last_run.without_changed(last, compare=CHECKSUM)[1]
    )


def follow_results():
    """Compute results again that do not follow from this config, and record what jobs make.

    Snakemake knows the config of earlier runs only from notes in the folder where it ran, and else
    compares times.
    """
    if workflow.modifier.is_main_snakefile():
        accept_older_outputs(DAG)
    if not workflow.is_main_process:
        refuse_late_job()
        return
    own = [each for each in workflow.rules if Path(each.snakefile).is_relative_to(HOME)]
    folder = workflow.pathvars.apply("<results>")
    RUN_JOBS.update(planned_jobs(own))
    lock = lock_of_results()
    records = read_records(RUN_JOBS.values())
    stale = find_stale(records, results=folder)
    records = order_times(records, stale=stale, results=folder, is_same=has_same_matrices)
    known = [record for record in records.values() if record is not None]
    stale, lost = split_lost(stale)
    notes = [*stale_notes(stale), *lost_notes(lost)]
    if not workflow.deployment_settings.deployment_method:
        notes += library_notes(known)
    for note in notes:
        print(f"lammscope: {note}", file=sys.stderr)
    rerun = [*stale, *find_incomplete(RUN_JOBS.values(), results=folder)]
    paths = [os.path.join(folder, path) for job in rerun for path in job.outputs]

    def force_stale(wildcards):
        """Is called as an input function of each job, before Snakemake decides what to run."""
        workflow.dag.forcefiles.update(paths)
        return []

    for each in own if paths else []:
        each.set_input(force_stale)
    RECORDERS.append(Recorder(RUN_JOBS, records=known, results=folder))
    snakemake_log.addHandler(RECORDERS[0])
    if not workflow.output_settings.dryrun:
        snakemake_log.addHandler(
            Guard(
                lock,
                rules=[each.name for each in own if each.name != "all"],
                logs=workflow.pathvars.apply("<logs>"),
                outputs=[
                    os.path.join(folder, path) for job in RUN_JOBS.values() for path in job.outputs
                ],
                is_unchanged=lambda: read_records(RUN_JOBS.values()) == records,
            )
        )


def lock_of_results():
    """Return the lock of the folder of results; `snakemake --unlock` removes a lock that was left."""
    lock = Lock(workflow.pathvars.apply("<results>"))
    if "--unlock" in sys.argv:
        lock.free()
    return lock


def refuse_late_job():
    """End a job that was queued by a run that was killed, if another run has begun since."""
    try:
        refuse_if_replaced()
    except OSError as error:
        stop(f"lammscope: {error}", [])


def watch_failures():
    """Print at the end of a failed run which jobs failed, why, and what the results are now.

    Within another workflow, the console is that workflow's.
    """
    if workflow.is_main_process and workflow.modifier.is_main_snakefile():
        folder = workflow.pathvars.apply("<results>")
        snakemake_log.addHandler(FailureReport(folder, left=out_of_date_results))


def out_of_date_results():
    """Return the results that this run had to compute again, did not, and that are still there."""
    jobs = workflow.dag.needrun_jobs() if workflow.dag else []
    paths = {str(path) for job in jobs for path in job.output}
    return [below_results(path) for path in paths if os.path.exists(path)]


RUN_JOBS, RECORDERS = {}, []
