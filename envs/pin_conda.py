"""Write the environments for `snakemake --sdm conda` from the lock files.

conda only provides Python. The packages are those of the lock files, with their checksums:
Snakemake runs `<name>.post-deploy.sh` in the new environment, and pip installs them. So `--sdm
conda`, `make setup` and the image have the same packages, file by file, and it does not matter
which versions a channel has.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVS = ROOT / "envs"
# name of the environment -> lock files
LOCKS = {
    "lammscope": ["requirements.lock"],
    "scvi": ["requirements.lock", "requirements-scvi.lock"],
}
ENVIRONMENT = """# Written by envs/pin_conda.py. The packages are in {name}.post-deploy.sh.
channels: [conda-forge, nodefaults]
dependencies:
  - python=3.12
  - pip
"""
SCRIPT = """#!/bin/sh
# Written by envs/pin_conda.py from {locks} (`make lock`).
# Snakemake runs it in the new environment.
set -eu
python -m pip install --quiet --disable-pip-version-check --require-hashes -r /dev/stdin <<'LOCK'
{pins}LOCK
"""


def environment_files(name: str) -> dict[str, str]:
    """Return the files of a conda environment by their names in `envs/`."""
    texts = [(ROOT / lock).read_text(encoding="utf-8") for lock in LOCKS[name]]
    pins = "".join(dict.fromkeys(pin for text in texts for pin in pinned(text)))
    script = SCRIPT.format(locks=" and ".join(LOCKS[name]), pins=pins)
    return {f"{name}.yaml": ENVIRONMENT.format(name=name), f"{name}.post-deploy.sh": script}


def pinned(lock: str) -> list[str]:
    """Return the packages of a lock file with versions and checksums, without comments."""
    pins: list[str] = []
    for line in lock.splitlines(keepends=True):
        if line[0].isalnum():
            pins.append(line)
        elif not line.lstrip().startswith("#"):
            pins[-1] += line
    return pins


if __name__ == "__main__":
    for environment in LOCKS:
        for file, content in environment_files(environment).items():
            (ENVS / file).write_text(content, encoding="utf-8")
