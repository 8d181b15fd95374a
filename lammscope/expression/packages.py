"""Packages that only one engine needs, and what to do where one is missing."""

from importlib.util import find_spec

OPTIONAL = {"edger_ql": "pyedger"}  # engine -> package, which is not in requirements.lock


def missing_package(engine: str, *, own_environment: bool) -> str:
    """Return the message for an engine whose package is missing; empty if it can run.

    `own_environment` is whether Snakemake creates the environment of jobs (`--sdm conda`), which
    has no optional package.
    """
    package = OPTIONAL.get(engine)
    if package is None or (find_spec(package) is not None and not own_environment):
        return ""
    remedy = (
        "which conda does not have: run without `--sdm conda`, after `make setup-edger`"
        if own_environment
        else "which is not installed: run `make setup-edger`"
    )
    return (
        f"`expression.engine` is {engine}, which needs {package}, {remedy}, or use limma_voom or "
        "pydeseq2"
    )
