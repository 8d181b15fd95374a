"""Digests of code and files by content, so that reruns do not depend on times or paths."""

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DIGITS = 16  # hexadecimal digits of a digest: enough to make a collision practically impossible


@dataclass(frozen=True)
class Source:
    """A Python file: a digest of its syntax tree, and the dotted names that it imports."""

    meaning: str
    imports: frozenset[str]


def code_digest(
    script: str | Path,
    *,
    package: str | Path,
    calls: Collection[str] = (),
    leave_out: Collection[str] = (),
) -> str:
    """Compute a digest of a script and of every package module that it imports, also indirectly.

    Comments, docstrings and formatting are ignored, as are paths and modification times. Imports
    within functions are followed, too.

    Parameters
    ----------
    script
        The Python file to start from.
    package
        The folder of the package. Other imports are not followed.
    calls
        Dotted names of functions that the script calls without importing them; their modules are
        treated as imported.
    leave_out
        Dotted names of modules to ignore.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    ValueError
        If a name in `leave_out` is not a module of the package, or one in `calls` is not in one.
    """
    package = Path(package)
    for name in leave_out:
        if _file_of(name, package) is None:
            raise ValueError(f"`{name}` is not a module of {package}; correct `leave_out`")
    for name in calls:
        if _file_of(name.rpartition(".")[0], package) is None:
            raise ValueError(f"`{name}` is not in a module of {package}; correct `calls`")
    start = _read_source(Path(script), "")
    found: dict[str, Source] = {"": start}
    waiting = set(start.imports | _with_packages(calls))
    while waiting:
        name = waiting.pop()
        file = _file_of(name, package)
        if file is None or name in found or name in leave_out:
            continue
        found[name] = _read_source(file, name)
        waiting |= found[name].imports
    return _digest(repr([(name, found[name].meaning) for name in sorted(found)]).encode())


def checksum(path: str | Path) -> str:
    """Compute the SHA-256 of a file, as `sha256sum` prints it."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def file_digest(*paths: str | Path) -> str:
    """Compute a digest of the content of files, in the given order; 16 hexadecimal digits."""
    return _digest(" ".join(map(checksum, paths)).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


@cache
def _file_of(name: str, package: Path) -> Path | None:
    """Return the file of a module or package, or None if the dotted name is neither."""
    first, *rest = name.split(".")
    if first != package.name:
        return None
    path = package.joinpath(*rest)
    files = (path / "__init__.py", package.parent.joinpath(first, *rest).with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


@cache
def _read_source(path: Path, module: str) -> Source:
    """Read a Python file, once per process; its dotted name `module` resolves `from .`."""
    words: list[str] = []
    imports: list[ast.Import | ast.ImportFrom] = []
    _write_tree(ast.parse(path.read_bytes(), filename=str(path)), words, imports)
    parent = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = {name for node in imports for name in _imported(node, parent)}
    return Source(_digest(" ".join(words).encode()), _with_packages(names))


def _with_packages(names: Iterable[str]) -> frozenset[str]:
    """Return dotted names and those of all packages above them."""
    return frozenset(name.rsplit(".", n)[0] for name in names for n in range(name.count(".") + 1))


def _write_tree(
    node: ast.AST, words: list[str], imports: list[ast.Import | ast.ImportFrom]
) -> None:
    """Append a syntax tree to `words` and its imports to `imports`, in a single pass for speed.

    Line numbers, docstrings, empty fields and `ctx` (which follows from the position of a name)
    are left out. `ast.dump` is not used, because only some versions of Python write empty fields.
    """
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        imports.append(node)
    words.append(f"{type(node).__name__}(")
    for name in node._fields:
        value = getattr(node, name, None)
        if value is None or name == "ctx":
            continue
        for item in value if isinstance(value, list) else (value,):
            if not isinstance(item, ast.AST):
                words.append(f"{name}={item!r}")
            elif not _is_lone_text(item):
                words.append(f"{name}=")
                _write_tree(item, words, imports)
    words.append(")")


def _is_lone_text(node: ast.AST) -> bool:
    """Return whether a statement is only a string, as docstrings are."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


def _imported(node: ast.Import | ast.ImportFrom, parent: str) -> Iterator[str]:
    """Yield the dotted names of an import, whether they are modules or objects in a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        packages = parent.split(".")
        above = packages[: len(packages) + 1 - node.level]
        base = ".".join([*above, base] if base else above)
    yield base
    yield from (f"{base}.{alias.name}" for alias in node.names)
