from datetime import UTC, datetime

STARTED = datetime.now(UTC)


def from_here(path):
    """Return a path relative to the folder of the run, if it lies in it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here) if Path(path).is_relative_to(here) else path)


def save_run(outcome, log):
    """Write the provenance of this call; it has a date, so it is the output of no rule.

    Imported here, since the processes of jobs do not need it.
    """
    from lammscope.report.provenance import Invocation, save_provenance

    deployment = sorted(str(name) for name in workflow.deployment_settings.deployment_method)
    command = ["snakemake", *hide_secrets(sys.argv[1:])]
    logs = [from_here(path) for path in ([log] if isinstance(log, str) else log or [])]
    sheets = [("samples", RUN.config["samples"]), ("patients", RUN.config["patients"])]
    contigs = [("contigs", given(sample, "contigs")) for sample in WITH_CONTIGS]
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
        )
    except OSError as error:
        print(f"lammscope: the provenance was not saved: {error}", file=sys.stderr)
