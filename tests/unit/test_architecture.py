"""The rooms of the package: how many, what each may import, and how large their parts are."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "lammscope"
# What each room may import beside itself. A new arrow is a decision: write it here.
ROOMS = {
    "core": set(),
    "stats": set(),
    "ingest": {"core"},
    "cohort": {"core", "ingest", "stats"},
    "joint": {"core"},
    "annotate": {"core", "joint"},
    "expression": {"core", "cohort", "annotate", "stats"},
    "abundance": {"core", "cohort", "stats", "expression"},
    "axis": {"core", "cohort", "joint", "annotate", "stats", "abundance", "expression"},
    "outcome": {"core", "cohort", "annotate", "stats", "abundance", "expression"},
    "report": {"core", "cohort", "joint", "annotate", "abundance", "expression", "axis", "outcome"},
    "provenance": {"core", "cohort"},
    "simulate": {"core"},
}
DOORS = {"new_cohort.py", "check.py", "plan.py", "combine.py", "verify.py", "__init__.py"}
MAX_LINES = 450  # of a module
MAX_CODE, MAX_PARAMETERS = 60, 8  # of a function: lines of its body, and what it takes


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name below it."""
    paths = (path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in paths}


def imported(path: Path) -> Iterator[str]:
    """Dotted names below the package that a module imports, within functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            first, _, below = node.module.partition(".")
            if first == "lammscope":
                yield from (f"{below}.{alias.name}".strip(".") for alias in node.names)


def module_of(name: str) -> str | None:
    """Return the module that an import names."""
    known = modules()
    return next((part for part in (name, name.rpartition(".")[0]) if part in known), None)


def test_the_package_holds_its_rooms_and_doors_alone() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(ROOMS)
    assert {path.name for path in PACKAGE.glob("*.py")} == DOORS


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    found = {
        name.partition(".")[0]
        for module, path in modules().items()
        if module.startswith(f"{room}.")
        for name in imported(path)
    }
    assert found - {room, "__version__"} <= ROOMS[room]


def test_the_rooms_lie_in_one_order() -> None:
    tuple(TopologicalSorter(ROOMS).static_order())


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        module: {target for name in imported(path) if (target := module_of(name))} - {module}
        for module, path in modules().items()
    }
    assert sum(map(len, graph.values())) > 100  # imports are seen
    tuple(TopologicalSorter(graph).static_order())


def test_no_module_is_too_long() -> None:
    long = {
        name: n_lines
        for name, path in modules().items()
        if (n_lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert long == {}


def code_lines(function: ast.FunctionDef, text: list[str]) -> int:
    """Lines of a function without its docstring, blank lines and comments."""
    first = 1 if ast.get_docstring(function) is not None else 0
    if len(function.body) == first:
        return 0
    lines = text[function.body[first].lineno - 1 : function.end_lineno]
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in lines)


def test_no_function_is_too_long_or_takes_too_much() -> None:
    """The numerics in `stats`, whose arguments are those of limma and edgeR, may take more."""
    large = {}
    for name, path in modules().items():
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef) or name.startswith("stats."):
                continue
            taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            n_taken = sum(argument.arg not in ("self", "cls") for argument in taken)
            n_lines = code_lines(node, text.splitlines())
            if n_lines > MAX_CODE or n_taken > MAX_PARAMETERS:
                large[f"{name}.{node.name}"] = n_lines, n_taken
    assert large == {}


HEAVY = (
    "anndata",
    "lammscope.stats",
    "faiss",
    "harmonypy",
    "igraph",
    "lightning",
    "matplotlib",
    "scanpy",
    "scvi",
    "sklearn",
    "torch",
    "umap",
)
LISTED = f"""
import ast, sys
tree = ast.parse(open(sys.argv[1], encoding="utf-8").read())
imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
exec(compile(ast.Module(imports, []), sys.argv[1], "exec"))
print(*(name for name in {HEAVY} if name in sys.modules))
"""


def loaded_by(path: Path) -> list[str]:
    """Heavy libraries that the imports of a file load."""
    command = [sys.executable, "-c", LISTED, str(path)]
    run = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    return run.stdout.split()


@pytest.mark.parametrize("script", ["ingest_samples", "count_cells", "write_report"])
def test_scripts_that_run_often_or_last_load_no_heavy_library(script: str) -> None:
    assert loaded_by(PACKAGE.parent / "workflow" / "scripts" / f"{script}.py") == []


def test_the_registry_of_integration_methods_loads_none_of_their_libraries() -> None:
    assert loaded_by(PACKAGE / "joint" / "integration" / "__init__.py") == []
