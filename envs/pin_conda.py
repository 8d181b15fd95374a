"""Write envs/lammscope.yaml with the versions of requirements.lock, for `snakemake --sdm conda`."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# PyPI name -> conda-forge name, where they differ
CONDA_NAMES = {"igraph": "python-igraph", "matplotlib": "matplotlib-base"}
# bioconda carries these; all others are on conda-forge
BIOCONDA = {"snakemake": "snakemake-minimal"}


def conda_environment() -> str:
    """The environment file: the direct dependencies, pinned to the versions of the lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock, flags=re.MULTILINE))
    names = [re.split(r"[<>=]", entry)[0] for entry in project["project"]["dependencies"]]
    lines = [
        "# Written by envs/pin_conda.py from requirements.lock (`make lock`).",
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
