"""Digests of code: equal for the same meaning, different otherwise."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from lammscope.core.digests import code_digest, file_digest

SCRIPT = '''"""A script."""

from package.stats import linear
from package.words import PLURAL

print(linear.fit(2), PLURAL)
'''
FILES = {
    "script.py": SCRIPT,
    "package/__init__.py": '"""A package."""\n',
    "package/words.py": 'PLURAL = "cells"\n',
    "package/unused.py": "NUMBER = 1\n",
    "package/log.py": "from package.unused import NUMBER\n",
    "package/names.py": "ALPHA = 0.05\n",
    "package/stats/__init__.py": '"""A room."""\n',
    "package/stats/linear.py": (
        "import package.stats.blocks\nfrom package import log\n\n\n"
        'class Model:\n    """A model."""\n\n    degrees: int = 3\n    """Of freedom."""\n\n\n'
        'def fit(x):\n    """Fit a model."""\n'
        "    from . import prior\n    from .. import names\n\n"
        "    return prior.SIZE * x * names.ALPHA * Model.degrees\n"
    ),
    "package/stats/blocks.py": "ROUNDS = 10\n",
    "package/stats/prior.py": "from .lowess import SPAN\n\nSIZE = 2 * SPAN\n",
    "package/stats/lowess.py": "SPAN = 0.5\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def digest(project: Path, **kwargs: Any) -> str:
    return code_digest(project / "script.py", package=project / "package", **kwargs)


def changed(project: Path, name: str, old: str, new: str) -> Path:
    """Return a copy of the project with one text in one file replaced."""
    copy = project.with_name("changed")
    shutil.copytree(project, copy)
    path = copy / name
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    return copy


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", '"""A script."""', '"""The script."""'),
        ("script.py", "print", "# Say it.\n\nprint"),
        ("package/stats/linear.py", '"""A model."""', '"""Another."""'),
        ("package/stats/linear.py", '"""Of freedom."""', '"""Of the model."""'),
        ("package/stats/linear.py", '    """Fit a model."""\n', ""),
        ("package/stats/linear.py", "Model.degrees", "(Model.degrees)  # three"),
        ("package/words.py", '"cells"', "'cells'"),
        ("package/__init__.py", '"""A package."""', ""),
        ("package/unused.py", "1", "2"),
    ],
)
def test_what_means_the_same_has_the_same_digest(
    project: Path, name: str, old: str, new: str
) -> None:
    left_out = {"leave_out": ["package.log"]}
    assert digest(changed(project, name, old, new), **left_out) == digest(project, **left_out)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "fit(2)", "fit(3)"),
        ("script.py", "print(", "print(1, "),
        ("package/words.py", '"cells"', '"cell"'),
        ("package/__init__.py", '"""A package."""', "import package.words"),
        ("package/stats/__init__.py", '"""A room."""', "SIDES = 2"),
        ("package/stats/linear.py", "= 3", "= 4"),
        ("package/stats/linear.py", "prior.SIZE * x", "prior.SIZE + x"),
        ("package/stats/blocks.py", "10", "10.0"),
        ("package/stats/prior.py", "2", "3"),
        ("package/stats/lowess.py", "0.5", "0.6"),
        ("package/names.py", "0.05", "0.1"),
        ("package/unused.py", "1", "2"),
    ],
)
def test_a_change_anywhere_in_what_is_imported_changes_the_digest(
    project: Path, name: str, old: str, new: str
) -> None:
    assert digest(changed(project, name, old, new)) != digest(project)


def test_neither_place_nor_times_count(project: Path) -> None:
    before = digest(project)
    moved = project.rename(project.with_name("elsewhere"))
    for path in moved.rglob("*.py"):
        os.utime(path, (1, 1))
    assert digest(moved) == before


def test_the_name_of_a_module_counts(project: Path) -> None:
    copy = changed(project, "script.py", "from package.words", "from package.nouns")
    (copy / "package" / "words.py").rename(copy / "package" / "nouns.py")
    assert digest(copy) != digest(project)


def test_a_name_that_is_left_out_must_be_a_module(project: Path) -> None:
    with pytest.raises(ValueError, match=r"`package\.logs` is not a module of .*package; correct"):
        digest(project, leave_out=["package.logs"])


def test_what_a_script_calls_without_importing_it_counts(project: Path) -> None:
    (project / "package" / "draw.py").write_text("from package import names\n\n\ndef draw(): ...\n")
    calls = {"calls": ["package.draw.draw"]}
    assert digest(project, **calls) != digest(project)
    edited = changed(project, "package/draw.py", "...", "return 1")
    assert digest(edited, **calls) != digest(project, **calls)
    assert digest(edited) == digest(project)
    with pytest.raises(ValueError, match=r"`package\.draws\.draw` is not in a module of .*package"):
        digest(project, calls=["package.draws.draw"])


def test_files_count_by_content_and_order(tmp_path: Path) -> None:
    first, second, twin = (tmp_path / name for name in "abc")
    first.write_text("a gene")
    second.write_text("another")
    twin.write_text("a gene")
    assert file_digest(first) == file_digest(twin)
    assert file_digest(first, second) == file_digest(twin, second)
    assert len({file_digest(first), file_digest(second), file_digest(first, second)}) == 3
    assert file_digest(first, second) != file_digest(second, first)
    assert file_digest() == file_digest()
