"""Check a config, its sheets and its matrices, and print the plan of the run, without Snakemake.

`python -m lammscope.check config.yaml` says what a dry run says before its list of jobs. Paths are
relative to the folder where it runs; several configs are merged, and later ones win.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snakemake.utils import update_config

from lammscope.cohort.checks import check_run, refusal
from lammscope.cohort.config import read_config_file
from lammscope.cohort.contrast_checks import ALIASED, aliased_contrasts
from lammscope.cohort.last_run import read_last_run
from lammscope.cohort.outside import UNSAFE, refuse_unsafe_folders
from lammscope.cohort.plan import plan_text
from lammscope.cohort.results_folder import OTHER_COHORT, refuse_other_cohort
from lammscope.core.words import near
from lammscope.report.catalog import read_catalog


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 if the workflow would run."""
    parser = argparse.ArgumentParser(prog="python -m lammscope.check", description=__doc__)
    parser.add_argument("config", type=Path, nargs="+", help="config file; later ones win")
    parser.add_argument("--directory", type=Path, help="folder where the workflow will run")
    options = parser.parse_args(arguments)
    paths = [path.absolute() if options.directory else path for path in options.config]
    try:
        config = _read_configs(paths)
        if options.directory:
            os.chdir(options.directory)
    except (OSError, ValueError) as error:
        print(f"check: {error}", file=sys.stderr)
        return 1
    results = _results_folder(config)
    try:
        run = check_run(config, sources=paths, last=read_last_run(results))
    except ValueError as error:
        heading, mistakes = refusal(error)
        print(heading, *mistakes, sep="\n  ", file=sys.stderr)
        return 1
    try:
        refuse_unsafe_folders(
            {"results": results, **_named_folders(config)},
            run.config,
            run.samples,
            sources=paths,
            patterns=[path for entry in read_catalog().values() for path in entry.paths],
        )
    except ValueError as error:
        print(UNSAFE, error, sep="\n  ", file=sys.stderr)
        return 1
    try:
        refuse_other_cohort(results, run.samples, sheet=run.config["samples"])
    except ValueError as error:
        print(OTHER_COHORT, error, sep="\n  ", file=sys.stderr)
        return 1
    print(plan_text(run))
    aliased = aliased_contrasts(run.comparisons)
    if aliased:
        print(ALIASED, *aliased.values(), sep="\n  ", file=sys.stderr)
    return 1 if aliased else 0


def _read_configs(paths: Sequence[Path]) -> dict[str, Any]:
    """Read and merge configs as Snakemake does; ValueError names a file that is not a config."""
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            config = read_config_file(path)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise ValueError(f"{path}: {_no_file(path)}") from error
        if not isinstance(config, Mapping):
            raise ValueError(f"{path}: is not a config; it must have keys at top level")
        update_config(merged, config)
    return merged


def _no_file(path: Path) -> str:
    """Say why there is no config at a path, and which other file may be meant."""
    if path.is_dir():
        return "is a folder; name the config file in it"
    others = [str(other) for other in path.parent.glob("*.y*ml")]
    return f"no such file{near(str(path), others)}"


def _named_folders(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the folders of logs and benchmarks if the config names them outside the results."""
    pathvars = config.get("pathvars")
    named = pathvars if isinstance(pathvars, Mapping) else {}
    return {
        name: str(named[name])
        for name in ("logs", "benchmarks")
        if named.get(name) and "<" not in str(named[name])
    }


def _results_folder(config: Mapping[str, Any]) -> str:
    """Return the folder of results that the config names, or the default one."""
    pathvars = config.get("pathvars")
    named = pathvars.get("results") if isinstance(pathvars, Mapping) else None
    return str(named or "results")


if __name__ == "__main__":
    sys.exit(main())
