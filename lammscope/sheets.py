"""The config and the two sheets, as plain and checked records."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import yaml

from lammscope.contrasts import near

SAMPLE_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
REQUIRED = {"samples": ["sample", "patient", "timepoint", "counts"], "patients": ["patient"]}


def resolve_config(config: dict[str, Any], schema_path: str | Path) -> dict[str, Any]:
    """Check a config and fill in every default.

    Parameters
    ----------
    config
        What the user wrote.
    schema_path
        The JSON schema (YAML) that holds every key and default.

    Raises
    ------
    ValueError
        One line per mistake: the key, the value, and what is allowed.
    """
    schema = yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))
    resolved = _with_defaults(config, schema)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(resolved)
    messages = sorted({message for error in errors for message in _messages(error)})
    if messages:
        raise ValueError("\n".join(f"config: {message}" for message in messages))
    return resolved


def read_samples(config: dict[str, Any]) -> pd.DataFrame:
    """Both sheets as one table with a row per sample.

    Parameters
    ----------
    config
        From `resolve_config`.

    Returns
    -------
    DataFrame
        `sample`, `patient`, `timepoint`, `counts`, `channel`, `batch`, `compartment`, `sort`, every
        other column of the sample sheet, then those of the patient sheet; `phase` (pre, post or
        missing) and `response` (responder, non_responder or missing; the sheet's own value is in
        `response_label`). Sorted by sample.

    Raises
    ------
    ValueError
        One line per mistake: the file, the row, the value, and the remedy.
    """
    samples_path, patients_path = config["samples"], config["patients"]
    samples = read_sheet(samples_path, required=REQUIRED["samples"])
    patients = read_sheet(patients_path, required=REQUIRED["patients"])
    column = config["response"]["column"]
    arms = {arm: config["response"][arm] for arm in ("responder", "non_responder")}
    problems = [
        *_twice({key: config["timepoints"][key] for key in ("pre", "post")}, "timepoints"),
        *_twice(arms, "response"),
        *_unused_labels(patients, column, arms, patients_path),
        *_repeated(samples, "sample", samples_path),
        *_repeated(patients, "patient", patients_path),
        *_bad_names(samples, samples_path),
        *_empty(samples, ["sample", "patient", "timepoint", "counts"], samples_path),
        *_unknown_patients(samples, patients, samples_path, patients_path),
        *_missing_files(samples, samples_path),
    ]
    shared = set(samples) & set(patients) - {"patient"}
    problems += [
        f"{patients_path}: column `{name}` is in {samples_path} too; keep it in one sheet"
        for name in sorted(map(str, shared))
    ]
    if problems:
        raise ValueError("\n".join(problems))

    for name, default in (("channel", samples["sample"]), ("batch", samples["sample"])):
        samples[name] = samples[name].fillna(default) if name in samples else default
    for name, value in (("compartment", "blood"), ("sort", "none")):
        samples[name] = samples[name].fillna(value) if name in samples else value
    table = samples.merge(patients, on="patient", how="left", validate="many_to_one")
    table["phase"] = _mapped(table["timepoint"], config["timepoints"])
    labels = table[column] if column in table else pd.Series(pd.NA, index=table.index, dtype="str")
    table = table.assign(response_label=labels, response=_mapped(labels, arms))
    return table.sort_values("sample", kind="stable").reset_index(drop=True)


def read_sheet(path: str | Path, *, required: Iterable[str]) -> pd.DataFrame:
    """Read a TSV or CSV sheet as text and numbers; `sample` and `patient` stay text.

    A byte order mark, Windows line ends, spaces around fields, empty lines and lines that begin
    with `#` are taken in stride. The table's index is the row's number in the file.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"{path}: no such file in {Path.cwd()}; paths are relative to the folder where "
            "Snakemake runs"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8; save it as TSV or CSV") from error
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip(" \t,;") and not line.startswith("#")
    ]
    if len(lines) < 2:
        raise ValueError(f"{path}: the sheet has no rows below its header")
    numbers = [number for number, _ in lines[1:]]
    separator = "\t" if "\t" in lines[0][1] else ","
    header, *rows = csv.reader([line for _, line in lines], delimiter=separator)
    header = [name.strip() for name in header]
    for number, row in zip(numbers, rows, strict=True):
        if any(field.strip() for field in row[len(header) :]):
            raise ValueError(
                f"{path}: row {number} has {len(row)} fields for {len(header)} columns"
            )
    fields = [[field.strip() for field in row[: len(header)]] for row in rows]
    table = pd.DataFrame(fields, columns=header, index=numbers, dtype="str").replace("", pd.NA)
    missing = [name for name in required if name not in table]
    if missing:
        hints = [f"`{name}`{near(name, header)}" for name in missing]
        raise ValueError(f"{path}: no column {', '.join(hints)}; it has {', '.join(header)}")
    texts = {"sample", "patient", "timepoint", "counts", "channel", "batch", "compartment", "sort"}
    for name in set(header) - texts:
        table[name] = _as_numbers(table[name])
    return table


def _with_defaults(value: Any, schema: dict[str, Any]) -> Any:
    """`value` with the defaults of `schema` filled in at every level."""
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    filled = dict(value)
    for name, part in schema["properties"].items():
        if filled.get(name) is None and "default" in part:
            filled[name] = part["default"]
        if name in filled:
            filled[name] = _with_defaults(filled[name], part)
    return filled


def _messages(error: Any) -> list[str]:
    where = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        allowed = list(error.schema.get("properties", {}))
        unknown = [name for name in error.instance if name not in allowed]
        prefix = f"{where}." if where else ""
        return [f"`{prefix}{name}` is no key{near(name, allowed)}" for name in unknown]
    if error.validator == "enum":
        allowed_values = ", ".join(map(str, error.validator_value))
        return [f"`{where}` is {error.instance!r}; allowed: {allowed_values}"]
    return [f"`{where}`: {error.message}"]


def _repeated(sheet: pd.DataFrame, column: str, path: str) -> list[str]:
    return [
        f"{path}: row {index}: {column} `{value}` stands there twice; names must be unique"
        for index, value in sheet.loc[sheet[column].duplicated(), column].items()
    ]


def _bad_names(samples: pd.DataFrame, path: str) -> list[str]:
    return [
        f"{path}: row {index}: {column} `{value}` cannot name a file; use letters, digits, "
        "`.`, `_`, `+`, `-`, and begin with a letter or digit"
        for column in ("sample", "channel")
        if column in samples
        for index, value in samples[column].dropna().items()
        if not re.fullmatch(SAMPLE_NAME, value)
    ]


def _empty(sheet: pd.DataFrame, columns: list[str], path: str) -> list[str]:
    return [
        f"{path}: row {index}: `{column}` is empty; fill it in"
        for column in columns
        for index in sheet.index[sheet[column].isna()]
    ]


def _unknown_patients(
    samples: pd.DataFrame, patients: pd.DataFrame, samples_path: str, patients_path: str
) -> list[str]:
    known = patients["patient"].dropna().tolist()
    return [
        f"{samples_path}: row {index}: patient `{value}` is not in {patients_path}"
        f"{near(value, known)}; add a row for it there"
        for index, value in samples["patient"].dropna().items()
        if value not in set(known)
    ]


def _missing_files(samples: pd.DataFrame, path: str) -> list[str]:
    return [
        f"{path}: row {index}: counts `{value}` does not exist; paths are relative to the "
        "folder where Snakemake runs"
        for index, value in samples["counts"].dropna().items()
        if not Path(value).exists()
    ]


def _twice(groups: dict[str, list[str]], section: str) -> list[str]:
    first, second = groups
    both = sorted(set(map(str, groups[first])) & set(map(str, groups[second])))
    return [
        f"config: `{value}` is in both `{section}.{first}` and `{section}.{second}`; keep it in one"
        for value in both
    ]


def _unused_labels(
    patients: pd.DataFrame, column: str, arms: dict[str, list[str]], path: str
) -> list[str]:
    """Responses that were meant to be read, and are not."""
    if column not in patients:
        like = [name for name in patients if str(name).lower() == column.lower()]
        return [f"{path}: no column `{column}` (did you mean `{like[0]}`?)"] if like else []
    found = sorted(set(patients[column].dropna().map(str)))
    known = {str(value) for values in arms.values() for value in values}
    if not found or known & set(found):
        return []
    return [
        f"{path}: no value of `{column}` is a responder's or a non-responder's "
        f"({', '.join(found)}); name them in the config under `response`"
    ]


def _mapped(values: pd.Series, groups: dict[str, list[str]]) -> pd.Series:
    """The group that lists each value, or missing."""
    names = {str(value): group for group, members in groups.items() for value in members}
    return values.map(lambda value: names.get(str(value))).astype("str")


def _as_numbers(values: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers if numbers.notna().equals(values.notna()) and values.notna().any() else values
