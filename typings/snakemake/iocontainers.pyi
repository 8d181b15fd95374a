"""Types of what Snakemake gives to a script: `snakemake: Snakemake` at its top lets mypy check it.

The rule decides what an input, output or parameter of a name is (one path, several, a number, a
mapping), so these are `Any`; wildcards, logs and threads are always of one type.
"""

from collections.abc import Iterator
from typing import Any

class Named:
    """Files or parameters by name (`input.cells`) and by position (`input[0]`)."""

    def __init__(self, *, fromdict: dict[str, Any]) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
    def __getitem__(self, key: int | str) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def get(self, key: str, default: Any = ...) -> Any: ...
    def keys(self) -> list[str]: ...
    def items(self) -> Iterator[tuple[str, Any]]: ...

class InputFiles(Named): ...
class OutputFiles(Named): ...
class Params(Named): ...

class Wildcards:
    """Wildcards of the job, as text."""

    def __getattr__(self, name: str) -> str: ...
    def __getitem__(self, key: int | str) -> str: ...

class Log:
    """Paths of log files."""

    def __getattr__(self, name: str) -> str: ...
    def __getitem__(self, key: int | str) -> str: ...

class Snakemake:
    """The job that runs the script."""

    input: InputFiles
    output: OutputFiles
    params: Params
    resources: Named
    wildcards: Wildcards
    log: Log
    threads: int
    config: dict[str, Any]
    rule: str
    bench_iteration: int | None
    scriptdir: str
