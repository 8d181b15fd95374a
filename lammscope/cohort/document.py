"""Write config/README.md from the schemas: `python -m lammscope.cohort.document`."""

from typing import Any

import yaml

from lammscope.cohort.config import read_schema
from lammscope.core.resources import HOME

HEAD = """# Config and sheets

Generated from the schemas (`workflow/schemas/`) by `python -m lammscope.cohort.document`. Do not
edit: a test compares the two.

A run needs a config and two sheets. `config.yaml`, `samples.tsv` and `patients.tsv` here are those
of the demo cohort. `python -m lammscope.new_cohort FOLDER --output my_cohort` drafts all three from
the count matrices below a folder. `python -m lammscope.check my_cohort/config.yaml` prints the
plan; then run `snakemake --cores 8 --configfile my_cohort/config.yaml`.

Both sheets are TSV or CSV in UTF-8, as spreadsheet programs save them, or Excel workbooks (.xlsx),
of which the first worksheet is read. Quoted fields, `;` as separator, decimal commas, empty lines
and lines that begin with `#` are accepted. An empty field, `NA`, `NaN` or `NULL` is a missing
value. So are `None`, `unknown`, `n.d.`, `not available`, `?`, `-`, -99, -999 and the like outside
the required columns, unless the config names them; the plan lists them with their rows. Levels that
differ only in capitals or spaces (`F`, `f`) are errors in columns that the run uses, and notes in
others.

Paths are relative to the folder where Snakemake runs (with `--directory D`, that is `D`).

All errors in the config and the sheets are reported together before anything runs, with file, row,
column, value and remedy, also by `snakemake --dry-run` and `python -m lammscope.check`.
"""

CONFIG = """## Config

Unknown keys are refused. A key that is missing or empty has its default.

Several `--configfile`s are merged, and later ones win. `--config key=value` overrides all of them:
`--config seed=2 qc='{min_counts: 800}'`. The config with all defaults filled in is saved as
`results/config.yaml`.

| key | type | default | unit | allowed | meaning |
|---|---|---|---|---|---|
"""


def document() -> str:
    """Return the text of config/README.md."""
    sheets = [_sheet(read_schema(name)) for name in ("samples", "patients")]
    return "\n".join([HEAD, *sheets, CONFIG]) + "\n".join(_rows(read_schema("config"), "")) + "\n"


def _sheet(schema: dict[str, Any]) -> str:
    lines = [
        f"## {schema['title']}\n",
        f"{schema['description']}\n",
        "| column | needed | type | default | unit | allowed | meaning |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, part in schema["properties"].items():
        needed = "yes" if name in schema["required"] else "no"
        default = f"the {part['default_column']}" if "default_column" in part else _default(part)
        cells = (f"`{name}`", needed, _type(part), default, *_limits(part), part["description"])
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join([*lines, ""])


def _rows(schema: dict[str, Any], prefix: str) -> list[str]:
    rows = []
    for name, part in schema["properties"].items():
        if "properties" in part:
            rows += [f"| **`{prefix}{name}`** | | | | | {_cell(part['description'])} |"]
            rows += _rows(part, f"{prefix}{name}.")
            continue
        cells = (f"`{prefix}{name}`", _type(part), _default(part), *_limits(part))
        rows.append("| " + " | ".join(map(_cell, (*cells, part["description"]))) + " |")
        if name == "contrasts":
            rows += _rows(part["additionalProperties"], "contrasts.NAME.")
    return rows


def _type(part: dict[str, Any]) -> str:
    kinds = part.get("type") or ("number" if isinstance(part["enum"][0], int) else "text")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    words = {"string": "text", "object": "section", "array": "list", "integer": "whole number"}
    return " or ".join(words.get(str(kind), str(kind)) for kind in kinds)


def _limits(part: dict[str, Any]) -> tuple[str, str]:
    """Return the unit and the allowed values."""
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    allowed = [f"{sign} {part[key]:.10g}" for key, sign in signs.items() if key in part]
    if "enum" in part:
        allowed = [f"`{value}`" for value in part["enum"]]
    elif "examples" in part:
        allowed = [*(f"`{value}`" for value in part["examples"]), "any other"]
    elif part.get("format") == "regex" or part.get("items", {}).get("format") == "regex":
        allowed = ["regular expressions" if part["type"] == "array" else "a regular expression"]
    elif "pattern" in part:
        allowed = [f"`{part['pattern']}`"]
    return part.get("unit", ""), ", ".join(allowed)


def _default(part: dict[str, Any]) -> str:
    if "default" not in part:
        return ""
    text = yaml.safe_dump(part["default"], default_flow_style=True, width=10_000)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    (HOME / "config" / "README.md").write_text(document(), encoding="utf-8")
