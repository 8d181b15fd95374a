"""Benchmarks that compare with other packages."""

import hashlib
from pathlib import Path

from benchmarks.scale import FROZEN


def test_scripts_of_other_packages_are_unchanged(repository: Path) -> None:
    """Else their times could not be compared with those of earlier versions."""
    for name, digest in FROZEN.items():
        content = (repository / "benchmarks" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name
