"""Write the environment files for `snakemake --sdm conda`, with the versions of the lock files."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# PyPI name -> conda-forge name, where they differ
CONDA_NAMES = {"igraph": "python-igraph", "matplotlib": "matplotlib-base"}
# packages on bioconda; all others are on conda-forge
BIOCONDA = {"snakemake": "snakemake-minimal"}


def conda_environment(*, group: str = "") -> str:
    """Return an environment file: the direct dependencies at the versions of the lock files.

    `group` adds the dependencies of a group of `pyproject.toml`.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    entries = [*project["project"]["dependencies"]]
    locks = ["requirements.lock"]
    if group:
        entries += project["dependency-groups"][group]
        locks.append(f"requirements-{group}.lock")
    text = "\n".join((ROOT / lock).read_text(encoding="utf-8") for lock in locks)
    versions = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, flags=re.MULTILINE))
    names = [re.split(r"[<>=]", entry)[0] for entry in entries]
    lines = [
        f"# Written by envs/pin_conda.py from {' and '.join(locks)} (`make lock`).",
        "channels: [conda-forge, bioconda, nodefaults]",
        "dependencies:",
        "  - python=3.12",
    ]
    for name in sorted(names):
        conda_name = CONDA_NAMES.get(name) or BIOCONDA.get(name) or name
        lines.append(f"  - {conda_name}={versions[name]}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "envs" / "lammscope.yaml").write_text(conda_environment(), encoding="utf-8")
    (ROOT / "envs" / "scvi.yaml").write_text(conda_environment(group="scvi"), encoding="utf-8")
