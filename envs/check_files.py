"""Check text files before a commit: `python -m envs.check_files FILE...`."""

import re
import sys
import tomllib
from pathlib import Path

import yaml

LARGEST = 1024 * 1024  # bytes: data belong in releases, not in the history
ADDRESSES = re.compile(r"--(?:extra-)?index-url|--find-links|\bindex-url *=")
CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)


def problems(path: Path) -> list[str]:
    """List the problems of a file."""
    content = path.read_bytes()
    if len(content) > LARGEST:
        return [f"has {len(content) / LARGEST:.1f} MiB; the limit is 1 MiB"]
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return ["is not UTF-8 text"]
    found = []
    if b"\r" in content:
        found.append("has Windows line endings")
    if text and not text.endswith("\n"):
        found.append("does not end with a newline")
    if text.endswith("\n\n"):
        found.append("ends with blank lines")
    found += [
        f"line {number} ends with a space"
        for number, line in enumerate(text.splitlines(), start=1)
        if line != line.rstrip(" \t") and path.suffix != ".md"
    ]
    if CONFLICT.search(text):
        found.append("has markers of a merge conflict")
    if path.suffix != ".py" and ADDRESSES.search(text):
        found.append("names a package index")
    return found + syntax_problems(path, text)


def syntax_problems(path: Path, text: str) -> list[str]:
    """List syntax errors of TOML and YAML files."""
    try:
        if path.suffix == ".toml":
            tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            list(yaml.safe_load_all(text))
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        return [" ".join(str(error).split())]
    return []


def main(names: list[str]) -> int:
    """Print all problems and return the exit status."""
    lines = [f"{name}: {problem}" for name in names for problem in problems(Path(name))]
    print("\n".join(lines), end="\n" if lines else "")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
