"""Small checks of text files before a commit: `python -m envs.check_files FILE...`."""

import re
import sys
import tomllib
from pathlib import Path

import yaml

LARGEST = 1024 * 1024  # bytes: data belong into releases, not into the history
ADDRESSES = re.compile(r"--(?:extra-)?index-url|--find-links|\bindex-url *=")
CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)


def problems(path: Path) -> list[str]:
    """What is wrong with a file, one sentence each."""
    content = path.read_bytes()
    if len(content) > LARGEST:
        return [f"has {len(content) / LARGEST:.1f} MiB; at most 1 MiB is kept here"]
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return ["is not UTF-8 text"]
    found = []
    if b"\r" in content:
        found.append("has Windows line ends")
    if text and not text.endswith("\n"):
        found.append("does not end with a line end")
    if text.endswith("\n\n"):
        found.append("ends with empty lines")
    found += [
        f"line {number} ends with a space"
        for number, line in enumerate(text.splitlines(), start=1)
        if line != line.rstrip(" \t") and path.suffix != ".md"
    ]
    if CONFLICT.search(text):
        found.append("holds the marks of a merge conflict")
    if path.suffix != ".py" and ADDRESSES.search(text):
        found.append("names a package index")
    return found + syntax_problems(path, text)


def syntax_problems(path: Path, text: str) -> list[str]:
    """Errors of TOML and YAML files."""
    try:
        if path.suffix == ".toml":
            tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            list(yaml.safe_load_all(text))
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        return [" ".join(str(error).split())]
    return []


def main(names: list[str]) -> int:
    """Print what is wrong, and return the exit code."""
    lines = [f"{name}: {problem}" for name in names for problem in problems(Path(name))]
    print("\n".join(lines), end="\n" if lines else "")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
