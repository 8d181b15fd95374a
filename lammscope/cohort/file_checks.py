"""Checks of the files that a config names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lammscope.cohort.config import ConfigLines
from lammscope.cohort.named_files import FILE_KEYS, GENE_SET_KEYS
from lammscope.cohort.pair_checks import NO_FILE, axis_mistakes
from lammscope.core.gene_sets import read_gene_sets, scored_names
from lammscope.core.resources import find_resource
from lammscope.core.signature_file import is_gene_set_file, read_signature
from lammscope.core.words import near


def file_mistakes(config: Mapping[str, Any], lines: ConfigLines) -> list[str]:
    """Find files of the config that do not exist, and mistakes in the others."""
    return [
        *_missing_files(config, lines),
        *_gene_set_mistakes(config, lines),
        *axis_mistakes(config, lines),
        *_leading_mistakes(config, lines),
        *_signature_mistakes(config["lamm"]["state_genes"]),
    ]


def _missing_files(config: Mapping[str, Any], lines: ConfigLines) -> list[str]:
    """Find files of the config that neither the user nor the workflow has."""
    return [
        f"{lines.place((section, key))}: `{section}.{key}` is `{config[section][key]}`, {NO_FILE}"
        for section, key in FILE_KEYS
        if config[section][key] and _find_file(config[section][key]) is None
    ]


def _gene_set_mistakes(config: Mapping[str, Any], lines: ConfigLines) -> list[str]:
    """Find GMT files that do not exist, and mistakes in the others."""
    mistakes: list[str] = []
    for section, key in GENE_SET_KEYS:
        found = []
        for i, path in enumerate(config[section][key]):
            file = _find_file(path)
            if file is not None:
                found.append(file)
                continue
            place = lines.place((section, key, i))
            mistakes.append(f"{place}: `{section}.{key}` names `{path}`, {NO_FILE}")
        try:
            read_gene_sets(found)
        except ValueError as error:
            mistakes += str(error).splitlines()
    return list(dict.fromkeys(mistakes))


def _leading_mistakes(config: Mapping[str, Any], lines: ConfigLines) -> list[str]:
    """Find states of T cells without a program in the files of `axis.states`, or fewer than two."""
    files = [file for path in config["axis"]["states"] if (file := _find_file(path))]
    try:
        names = scored_names(each.name for each in read_gene_sets(files))
    except ValueError:
        return []  # reported by `_gene_set_mistakes`
    leading = config["axis"]["leading"]
    few = (
        f"{lines.place(('axis', 'leading'))}: `axis.leading` has under two states; name two or more"
    )
    return [few] * (len(leading) < 2) + [
        f"{lines.place(('axis', 'leading', state))}: `axis.leading.{state}` is `{name}`, which is "
        f"no gene program of `axis.states`{near(name, names)}; programs: {', '.join(names)}"
        for state, name in leading.items()
        if name not in names
    ]


def _signature_mistakes(path: str) -> list[str]:
    """Find mistakes in the signature of the LAMM state, if it is a GMT file."""
    file = _find_file(path)
    if file is None or not is_gene_set_file(file):
        return []
    try:
        read_signature(file)
    except ValueError as error:
        return str(error).splitlines()
    return []


def _find_file(path: str) -> Path | None:
    """Return the user's own file, or the one that ships with the workflow."""
    try:
        return find_resource(path)
    except FileNotFoundError:
        return None
