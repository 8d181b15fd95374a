"""Checks of the section `axis` of the config: tables of pairs, groups, the pre-specified pair."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from yaml import YAMLError

from lammscope.cohort.config import ConfigLines, read_schema
from lammscope.cohort.pairs import ROLES, Pair, read_pairs
from lammscope.core.names import LAMM, LAMM_ROWS
from lammscope.core.plain_text import read_text
from lammscope.core.resources import find_resource
from lammscope.core.words import near
from lammscope.core.yaml_text import load_yaml

NO_FILE = "which does not exist; paths are relative to the folder where Snakemake runs"


def axis_mistakes(config: Mapping[str, Any], lines: ConfigLines) -> list[str]:
    """Find mistakes in the section `axis`, one line each: file, line, key, value, remedy.

    Parameters
    ----------
    config
        The resolved config.
    lines
        Where its keys are.
    """
    axis = config["axis"]
    mistakes, files = [], list[Path]()
    for i, path in enumerate(axis["pairs"]):
        try:
            files.append(find_resource(path))
        except FileNotFoundError:
            place = lines.place(("axis", "pairs", i))
            mistakes.append(f"{place}: `axis.pairs` names `{path}`, {NO_FILE}")
    try:
        pairs = read_pairs(files)
    except ValueError as error:
        return mistakes + str(error).splitlines() + _group_mistakes(config, lines)
    mistakes += _group_mistakes(config, lines)
    if not pairs or not axis["primary"]["pair"]:
        return mistakes
    return mistakes + _primary_mistakes(axis, pairs, lines, level=config["lamm"]["level"])


def axis_contrast_mistakes(
    config: Mapping[str, Any], contrasts: Collection[str], lines: ConfigLines
) -> list[str]:
    """Find a contrast of the pre-specified pair that does not exist."""
    name = config["axis"]["primary"]["contrast"]
    if not name or name in contrasts:
        return []
    return [
        f"{lines.place(('axis', 'primary', 'contrast'))}: `axis.primary.contrast` is `{name}`, "
        f"which is not a contrast{near(name, contrasts)}; contrasts: {', '.join(contrasts)}"
    ]


def _group_mistakes(config: Mapping[str, Any], lines: ConfigLines) -> list[str]:
    """Find groups in two roles, and names that are no type or lineage of the marker panel.

    The shipped groups may name types that a panel of one's own lacks, and with a CellTypist model
    the types are not known before the run.
    """
    axis, known = config["axis"], _known_names(config)
    default = read_schema("config")["properties"]["axis"]["properties"]
    seen: dict[str, str] = {}
    mistakes = []
    for role in ROLES:
        for group, names in axis[role].items():
            place = lines.place(("axis", role, group))
            if group in seen:
                mistakes.append(
                    f"{place}: group `{group}` is in `axis.{seen[group]}` and `axis.{role}`; "
                    "rename one"
                )
            seen.setdefault(group, role)
            mistakes += [
                f"{place}: `axis.{role}.{group}` names `{name}`, which is no cell type, lineage or "
                f"LAMM level{near(name, known)}; names: {', '.join(known)}"
                for name in names
                if known and name not in known and names != default[role]["default"].get(group)
            ]
    return mistakes


def _known_names(config: Mapping[str, Any]) -> list[str]:
    """Return the types and lineages of the marker panel, and LAMM rows; empty if not known."""
    annotation = config["annotation"]
    if annotation["celltypist_model"]:
        return []
    try:
        panel = load_yaml(read_text(find_resource(annotation["panel"])))
        types = {
            name: about["lineage"]
            for branch in panel["branches"].values()
            for name, about in branch["types"].items()
        }
        types |= {name: about["lineage"] for name, about in panel["external"].items()}
    except (OSError, ValueError, YAMLError, KeyError, AttributeError, TypeError):
        return []  # the checks of the panel say what is wrong with it
    return list(dict.fromkeys([*types, *types.values(), *LAMM_ROWS]))


def _primary_mistakes(
    axis: Mapping[str, Any], pairs: list[Pair], lines: ConfigLines, *, level: str
) -> list[str]:
    """Find what is wrong with the pre-specified pair."""
    primary = axis["primary"]
    named = {pair.name: pair for pair in pairs}
    at = lines.place(("axis", "primary", "pair"))
    said = f"`axis.primary.pair` is `{primary['pair']}`"
    pair = named.get(primary["pair"])
    if pair is None:
        return [
            f"{at}: {said}, which no table of `axis.pairs` has{near(primary['pair'], named)}; "
            "name one of its pairs, or leave it empty (`pair: ''`)"
        ]
    if not pair.is_tested:
        return [f"{at}: {said}, which is shown only; name a pair with `use` `test`"]
    mistakes = []
    for key, roles in (("sender", pair.senders), ("receiver", pair.receivers)):
        group = f"LAMM_{level}" if primary[key] == LAMM else primary[key]
        allowed = [name for role in roles for name in axis[role]]
        if group not in allowed:
            place = lines.place(("axis", "primary", key))
            mistakes.append(
                f"{place}: `axis.primary.{key}` is `{primary[key]}`, which is not a group of "
                f"{' or '.join(f'`axis.{role}`' for role in roles)}{near(group, allowed)}; "
                f"groups: {', '.join(allowed)}"
            )
    return mistakes
