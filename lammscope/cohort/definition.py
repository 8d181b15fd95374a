"""A comparison fixed by a first cohort: what of it a second cohort takes over, and may not change.

Frozen are the question and what decides which cells are counted: the primary contrast and its
denominator, the response, LAMM calls, cell types, quality limits and doublets. The batch, the
integration, the clusters, the CAR features and the labels of sorts belong to a cohort, and are
recorded only. Levels of libraries (ambient RNA, depth, ordinary monocytes) are estimated anew.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lammscope.cohort.config import ConfigLines, as_label
from lammscope.cohort.contrast_config import DEFAULT, primary_contrast
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.definition_file import NAME, TESTED, Content, Definition, read_definition
from lammscope.core.digests import file_digest
from lammscope.core.names import PRIMARY_SCALE
from lammscope.core.resources import find_resource

# Keys of the config that are frozen, by section. Files are compared by content.
FROZEN: Mapping[str, tuple[str, ...]] = {
    "response": ("column", "responder", "non_responder"),
    "timepoints": ("pre", "post"),
    "qc": (
        *("min_counts", "min_genes", "max_pct_mt", "max_pct_hb", "counts_mads", "mt_mads"),
        *("min_cells", "on_failed"),
    ),
    "doublets": ("method", "remove", "max_false_pct"),
    "annotation": ("min_score", "min_margin", "cluster_weight"),
    "lamm": ("level", "definers", "probability", "fold", "prior_counts", "dispersion", "vetoes"),
    "car": ("probability",),
    "primary": ("contrast", "denominator"),
    "abundance": ("min_cells", "exclude_pre_post"),
}
FILES = (
    *(("annotation", "panel"), ("annotation", "celltypist_model")),
    *(("lamm", "references"), ("lamm", "state_genes")),
)
# Sections of the config that a definition holds, with those that are recorded only.
SECTIONS_READ = (*FROZEN, "categories", "integration", "clustering", "sorts", "seed")
RESPONSE = ("response", "response_label")  # columns that `response` of the config makes
PER_SD = " per SD"  # of the cohort's own patients, so another unit in each cohort
SAME_COHORT = 0.5  # share of samples with matrices of the same size: the same cohort


def frozen_settings(config: Content, contrast: Contrast | None) -> dict[str, Any]:
    """Return the frozen keys of a resolved config, as a config that holds nothing else.

    Parameters
    ----------
    config
        The resolved config.
    contrast
        The primary contrast; None if the cohort does not have it.

    Returns
    -------
    dict
        Sections of the config. `contrasts` has the primary contrast with all its keys. `response`
        is left out if the contrast does not use it. Of `categories`, only covariates are named.
    """
    used = () if contrast is None else contrast.columns
    settings: dict[str, Any] = {
        section: {key: config[section][key] for key in keys}
        for section, keys in FROZEN.items()
        if section != "response" or set(RESPONSE) & set(used)
    }
    adjust = () if contrast is None else contrast.adjust
    settings["categories"] = sorted(set(config["categories"]) & set(adjust))
    settings["contrasts"] = {} if contrast is None else {contrast.name: _entry(contrast)}
    return settings


def frozen_files(config: Content) -> dict[str, dict[str, str]]:
    """Return name and content (a digest) of the frozen files, by the key that names them."""
    found = {}
    for section, key in FILES:
        path = config[section][key]
        digest = file_digest(find_resource(path)) if path else ""
        found[f"{section}.{key}"] = {"name": Path(path).name if path else "", "digest": digest}
    return found


def unit_of(contrast: Contrast) -> str:
    """Return the unit of the primary estimate, such as `log odds ratio per doubling`."""
    return f"log {contrast.ratio()}"


def take_definition(config: Content) -> tuple[dict[str, Any], Definition | None, list[str]]:
    """Fill the frozen keys that a config does not name from the definition that it names.

    Returns
    -------
    config
        The config; without contrasts of its own, it has the primary contrast only.
    definition
        None if the config names none, or one that cannot be read.
    mistakes
        Of the file, one line each.
    """
    filled, path = dict(config), config.get("definition")
    if not path or not isinstance(path, str):
        return filled, None, []
    try:
        definition = read_definition(path)
    except ValueError as error:
        return filled, None, str(error).splitlines()
    if filled.get("contrasts") == DEFAULT:
        filled["contrasts"] = None
    for section, frozen in definition.settings.items():
        own = filled.get(section)
        if section in FROZEN:  # a file from elsewhere sets no other key, such as a trusted model
            frozen = {key: value for key, value in frozen.items() if key in FROZEN[section]}
        elif section not in ("categories", "contrasts"):
            continue
        if section == "categories":
            filled[section] = sorted({*(own or []), *frozen}) if _is_list(own) else own
        elif own is None or isinstance(own, Mapping):
            given = {key: value for key, value in (own or {}).items() if value is not None}
            filled[section] = {**frozen, **given}
    return filled, definition, []


def definition_mistakes(
    definition: Definition,
    config: Content,
    contrasts: Sequence[Contrast],
    lines: ConfigLines,
    *,
    sizes: Sequence[int],
) -> list[str]:
    """Find why a run cannot replicate a definition: all reasons together.

    Parameters
    ----------
    definition
        The definition.
    config
        The resolved config of this run, with what `take_definition` filled in.
    contrasts
        The contrasts of this run.
    lines
        Places of the keys in the config.
    sizes
        Bytes of the matrix of each sample.
    """
    return [
        *_nothing_to_replicate(definition),
        *_own_definition(definition, config, sizes),
        *_changed_settings(definition, config, contrasts, lines),
        *_changed_files(definition, config, lines),
    ]


def replication_note(definition: Definition) -> str:
    """Say what a run replicates."""
    estimate = definition.estimate
    ratio = str(estimate["unit"]).removeprefix("log ")
    return (
        f"{definition.path}: this run replicates its primary comparison ({definition.contrast}, "
        f"{estimate['direction']}, {ratio} {math.exp(estimate['estimate']):.2f}) with "
        "its settings, in one one-sided test"
    )


def differing_settings(one: Content, other: Content) -> Iterator[tuple[str, Any, Any]]:
    """Yield the frozen keys that differ between two sets of settings, with both values.

    Labels of time points may be added, but one that both know has the same phase.
    """
    for section in dict.fromkeys([*one, *other]):
        if section == "timepoints":
            yield from _moved_labels(one[section], other[section])
            continue
        mine, theirs = dict(_entries(section, one)), dict(_entries(section, other))
        for key in dict.fromkeys([*mine, *theirs]):
            if _comparable(key, mine.get(key)) != _comparable(key, theirs.get(key)):
                yield key, mine.get(key), theirs.get(key)


def written(value: object) -> str:
    """Return a value of a setting as messages show it."""
    if value is None or value in ((), [], {}, ""):
        return "not set"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_label, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    return as_label(value)


def _entry(contrast: Contrast) -> dict[str, Any]:
    """Return the entry of a contrast in the config, with all keys that are set."""
    entry: dict[str, Any] = {"kind": contrast.kind, "column": contrast.column}
    entry |= {key: getattr(contrast, key) for key in contrast.keys if getattr(contrast, key)}
    entry["where"] = {column: sorted(values) for column, values in contrast.where.items()}
    entry |= {"adjust": list(contrast.adjust), "choose": contrast.choose}
    if not contrast.between_patients:
        entry["match"] = list(contrast.match)
    entry = {key: list(v) if isinstance(v, tuple) else v for key, v in entry.items()}
    return {key: value for key, value in entry.items() if value or key == "match"}


def _is_list(value: object) -> bool:
    return value is None or isinstance(value, list)


def _nothing_to_replicate(definition: Definition) -> list[str]:
    """Return why the first result cannot be replicated."""
    estimate, path = definition.estimate, definition.path
    if estimate["status"] != TESTED:
        return [
            f"{path}: the first cohort was not tested ({estimate['reason']}), so there is nothing "
            "to replicate; run this cohort without `definition`"
        ]
    if str(estimate["unit"]).endswith(PER_SD):
        return [
            f"{path}: `estimate.unit` is {estimate['unit']} of the first cohort's own patients, "
            "which is another unit in each cohort; use `log: true` (per doubling) or an `order` in "
            "the first run, or run this cohort without `definition`"
        ]
    if estimate["ci_low"] <= 0 <= estimate["ci_high"]:
        return [
            f"{path}: the interval of the first estimate ({estimate['ci_low']:.2f} to "
            f"{estimate['ci_high']:.2f}) includes 0, so there is no difference to replicate; run "
            "this cohort without `definition`, and combine both (`python -m lammscope.combine`)"
        ]
    return []


def _own_definition(definition: Definition, config: Content, sizes: Sequence[int]) -> list[str]:
    """Refuse a definition of this very cohort, by its folder or by the sizes of its matrices."""
    results = Path(config["pathvars"].get("results", "results"))
    if Path(definition.path).resolve() == (results / NAME).resolve():
        return [
            f"{definition.path}: is written by this run itself; give this cohort a folder of its "
            "own, e.g. `pathvars: {results: results/cohort_2}` in the config"
        ]
    known = set(definition.cohort["bytes"])
    same = sum(size in known for size in sizes)
    if same < 2 or same < SAME_COHORT * min(len(sizes), len(definition.cohort["bytes"])):
        return []
    return [
        f"{definition.path}: {same} of {len(sizes)} matrices have the size of a matrix of the "
        "first cohort, to the byte: these are the same samples, and only other patients can "
        "replicate a result"
    ]


def _changed_settings(
    definition: Definition, config: Content, contrasts: Sequence[Contrast], lines: ConfigLines
) -> list[str]:
    """Name the frozen keys that differ, and arms that are exchanged."""
    name = config["primary"]["contrast"]
    primary = primary_contrast(config, contrasts)
    mine, first = frozen_settings(config, primary), definition.settings
    found: list[str] = []
    if primary is None:  # other settings are compared, too
        found += _missing_primary(definition, name, lines) if contrasts else []
        parts = ("contrasts", "response", "categories")
        first = {section: first[section] for section in first if section not in parts}
        mine = {section: mine[section] for section in mine if section in first}
    elif exchanged := _exchanged_arms(mine, first):
        place = lines.place(tuple(exchanged.split(".")))
        return [
            f"{place}: `{exchanged}`: the arms are exchanged against {definition.path}, so the "
            "direction of a difference would be reversed; exchange them back, or remove the key "
            "(it is then taken from there)"
        ]
    else:
        found += [
            f"{definition.path}: `estimate.{key}` is {definition.estimate[key]}, and this run has "
            f"{own}; a result can be replicated in the same unit only"
            for key, own in (("scale", PRIMARY_SCALE), ("unit", unit_of(primary)))
            if definition.estimate[key] != own
        ]
    return found + [
        f"{lines.place(tuple(key.split('.')))}: `{key}` is {written(own)}, but {written(theirs)} "
        f"in {definition.path}, which this run replicates; remove the key (it is then taken from "
        "there), or run without `definition`"
        for key, own, theirs in differing_settings(mine, first)
    ]


def _missing_primary(definition: Definition, name: str, lines: ConfigLines) -> list[str]:
    """Say that this run has no primary contrast."""
    place, first = lines.place(("primary", "contrast")), definition.contrast
    remedy = "remove the key" if name != first else "name it under `contrasts`"
    return [
        f"{place}: `primary.contrast` is {name}, and this cohort has no such contrast, so that of "
        f"{definition.path} ({first}) is not tested; {remedy}"
    ]


def _changed_files(definition: Definition, config: Content, lines: ConfigLines) -> list[str]:
    """Name the files of the config whose content is not that of the definition."""
    mistakes = []
    for section, key in FILES:
        path, first = config[section][key], definition.files[f"{section}.{key}"]
        try:
            digest = file_digest(find_resource(path)) if path else ""
        except OSError:
            continue  # reported with the other files
        if digest != first["digest"]:
            remedy = f"name a copy of `{first['name']}`" if first["name"] else "remove the key"
            mistakes.append(
                f"{lines.place((section, key))}: `{section}.{key}` is {written(path)} (content "
                f"{digest or 'none'}), but {written(first['name'])} (content "
                f"{first['digest'] or 'none'}) in {definition.path}, which this run replicates; "
                f"{remedy}, or run without `definition`"
            )
    return mistakes


def _exchanged_arms(mine: Content, first: Content) -> str:
    """Return the key by which the arms are exchanged, or an empty string."""
    places = {"response": (mine.get("response", {}), first.get("response", {}))}
    for name in set(mine["contrasts"]) & set(first["contrasts"]):
        places[f"contrasts.{name}"] = mine["contrasts"][name], first["contrasts"][name]
    for place, parts in places.items():
        for one, other in (("responder", "non_responder"), ("test", "reference")):
            own, theirs = (
                [_comparable(side, part.get(side)) for side in (one, other)] for part in parts
            )
            if own != theirs and own == theirs[::-1]:
                return f"{place}.{one}"
        orders = [list(part.get("order", [])) for part in parts]
        if orders[0] and orders[0] == orders[1][::-1]:
            return f"{place}.order"
    return ""


def _entries(section: str, settings: Content) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a section with their values; of contrasts, the keys of each."""
    value = settings.get(section, {})
    if not isinstance(value, Mapping):
        yield section, value
        return
    for key, item in value.items():
        if section == "contrasts":
            yield from ((f"{section}.{key}.{part}", entry) for part, entry in item.items())
        else:
            yield f"{section}.{key}", item


def _moved_labels(mine: Content, first: Content) -> Iterator[tuple[str, Any, Any]]:
    """Yield labels of time points whose phase differs between the cohorts."""
    for phase, other in (("pre", "post"), ("post", "pre")):
        moved = sorted(set(mine[phase]) & set(first[other]) - set(first[phase]))
        if moved:
            yield f"timepoints.{phase}", moved, f"{other}: {written(moved)}"


def _comparable(key: str, value: Any) -> Any:
    """Return a value whose lists are in one order, except where the order matters."""
    if isinstance(value, Mapping):
        return {name: _comparable(name, item) for name, item in value.items()}
    if isinstance(value, list | tuple) and key.rpartition(".")[2] != "order":
        return sorted(map(str, value))
    return list(value) if isinstance(value, tuple) else value
