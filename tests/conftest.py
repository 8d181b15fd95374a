"""Fixtures for all tests: paths of the repository, the reference results and the real data."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from threadpoolctl import threadpool_limits

from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"

# A busy machine must not fail a test, so neither examples nor their generation have a time limit.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


# Workers of pytest run beside each other: threads of linear algebra would wait for one another.
threadpool_limits(limits=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole runs of the workflow first, so that short tests run at the end."""
    first = {REPOSITORY / "tests" / name: rank for rank, name in enumerate(("workflow", "misuse"))}
    items.sort(key=lambda item: first.get(item.path.parent, len(first)))


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the folder of the Snakefile."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Return a function that finds a real data set, or skips the test if it is missing."""
    root = Path(os.environ.get("LAMMSCOPE_REAL_DATA", SHARED / "data"))

    def find(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"real data set {name} is missing (set LAMMSCOPE_REAL_DATA)")
        return root / name

    return find


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Path]:
    """Return a function that finds a result of R; `LAMMSCOPE_GOLDEN` names another folder."""
    root = Path(os.environ.get("LAMMSCOPE_GOLDEN", REPOSITORY / "tests" / "golden" / "s1"))

    def find(name: str) -> Path:
        return root / name

    return find


@pytest.fixture(scope="session")
def sound_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulate a valid cohort of six patients, with paths relative to its folder."""
    folder = tmp_path_factory.mktemp("sound")
    before = Path.cwd()
    os.chdir(folder)
    try:
        simulate_cohort(CohortSettings(patients_per_arm=3, cells=60, seed=5), ".")
    finally:
        os.chdir(before)
    shutil.rmtree(folder / "truth")
    return folder


@pytest.fixture
def relative_cohort(sound_cohort: Path, tmp_path: Path) -> Path:
    """Copy the valid cohort, to change and run it."""
    return Path(shutil.copytree(sound_cohort, tmp_path / "cohort"))
