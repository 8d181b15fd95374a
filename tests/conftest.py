"""Fixtures for all tests: where the repository, the reference numbers and the real data lie."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds the Snakefile."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Give the path of a real data set, or skip the test where it is absent."""
    root = Path(os.environ.get("LAMMSCOPE_REAL_DATA", SHARED / "data"))

    def find(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"real data set {name} is not there (set LAMMSCOPE_REAL_DATA)")
        return root / name

    return find


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Path]:
    """Give the path of a reference result from R, or skip the test where it is absent."""
    root = Path(os.environ.get("LAMMSCOPE_GOLDEN", SHARED / "golden" / "s1"))

    def find(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"reference result {name} is not there (set LAMMSCOPE_GOLDEN)")
        return root / name

    return find
