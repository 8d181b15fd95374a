"""Fixtures for all tests: where the repository, the reference numbers and the real data lie."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"

# A busy machine must not fail a test: no example has a time limit, nor has their making.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole runs of the workflow first, so that short tests fill the workers' last minutes."""
    first = {REPOSITORY / "tests" / name: rank for rank, name in enumerate(("workflow", "misuse"))}
    items.sort(key=lambda item: first.get(item.path.parent, len(first)))


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
    """Give the path of a result from R; `LAMMSCOPE_GOLDEN` names those of another seed."""
    root = Path(os.environ.get("LAMMSCOPE_GOLDEN", REPOSITORY / "tests" / "golden" / "s1"))

    def find(name: str) -> Path:
        return root / name

    return find


@pytest.fixture(scope="session")
def sound_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of six patients without a mistake, its paths relative to its folder."""
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
    """A copy of the sound cohort, to change and to run."""
    return Path(shutil.copytree(sound_cohort, tmp_path / "cohort"))
