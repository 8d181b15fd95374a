"""A rule's very script, run outside Snakemake."""

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.iocontainers import InputFiles, OutputFiles, Params


@pytest.fixture
def run_script(repository: Path, tmp_path: Path) -> Callable[..., str]:
    """Run a rule's very script with a stand-in for what Snakemake gives it."""

    def run(
        name: str,
        *,
        input: dict[str, Any],
        output: dict[str, Any],
        params: dict[str, Any] | None = None,
        wildcards: dict[str, str] | None = None,
    ) -> str:
        for paths in output.values():
            for path in paths if isinstance(paths, list) else [paths]:
                path.parent.mkdir(parents=True, exist_ok=True)
        snakemake = SimpleNamespace(
            input=InputFiles(fromdict=input),
            output=OutputFiles(fromdict=output),
            params=Params(fromdict=params or {}),
            wildcards=SimpleNamespace(**(wildcards or {})),
            log=[str(tmp_path / f"{name}.log")],
        )
        runpy.run_path(
            str(repository / "workflow" / "scripts" / f"{name}.py"),
            init_globals={"snakemake": snakemake},
        )
        return (tmp_path / f"{name}.log").read_text()

    return run
