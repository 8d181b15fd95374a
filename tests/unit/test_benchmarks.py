"""Benchmarks that compare with other packages."""

import hashlib
from pathlib import Path

from benchmarks.rerun_cases import SECTIONS, UNCHANGED
from benchmarks.scale import FROZEN
from lammscope.cohort.config import read_schema


def test_scripts_of_other_packages_are_unchanged(repository: Path) -> None:
    """Else their times could not be compared with those of earlier versions."""
    for name, digest in FROZEN.items():
        content = (repository / "benchmarks" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name


def test_each_section_of_the_config_has_a_change_in_the_benchmark_of_reruns() -> None:
    assert set(read_schema("config")["properties"]) == {*SECTIONS, *UNCHANGED}
