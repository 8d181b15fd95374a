"""Write config/README.md from the schema and the sheets' columns: `python -m config.document`."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent

HEAD = """# Config and sheets

Written from the schema (`workflow/schemas/`) by `python -m config.document`; a test guards it.

A run needs a config and two sheets. `config.yaml`, `samples.tsv` and `patients.tsv` here are those
of the demo cohort; copy them for your own, then run
`snakemake --cores 8 --configfile my_cohort.yaml`.

## Sample sheet: one row per count matrix

TSV or CSV. Paths are relative to the folder where Snakemake runs. Further columns are kept, and may
be named in contrasts and as covariates.

| column | needed | meaning |
|---|---|---|
| `sample` | yes | unique name; letters, digits, `.`, `_`, `+`, `-` |
| `patient` | yes | the patient, as in the patient sheet |
| `timepoint` | yes | a label; the config says which lie before and after infusion |
| `counts` | yes | 10x `.h5` (v2, v3), 10x folder (v2, v3), or `.h5ad` with integer counts |
| `channel` | no | 10x lane (doublets are found per lane); default: the sample |
| `batch` | no | what integration corrects for; default: the sample |
| `compartment` | no | `blood` (default), `product`, `tumour`, `marrow` |
| `sort` | no | how cells were sorted; default `none` |
| `day` | no | days from infusion; `choose: first` and `last` read it |

## Patient sheet: one row per patient

| column | needed | meaning |
|---|---|---|
| `patient` | yes | unique name |
| `response` | no | its values are mapped to responder and non-responder in the config |
| any other | no | `product`, `age`, `sex`, `ldh`, ...: covariates |

## Config

Unknown keys are refused. A key that is left out has its default.

| key | type | default | meaning |
|---|---|---|---|
"""


def document() -> str:
    """The text of config/README.md."""
    schema_path = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    schema = yaml.safe_load(schema_path.read_text(encoding="utf-8"))
    return HEAD + "\n".join(_rows(schema, "")) + "\n"


def _rows(schema: dict[str, Any], prefix: str) -> list[str]:
    rows = []
    for name, part in schema["properties"].items():
        if "properties" in part:
            rows += [f"| **`{prefix}{name}`** | | | {_cell(part['description'])} |"]
            rows += _rows(part, f"{prefix}{name}.")
        else:
            columns = (f"`{prefix}{name}`", _type(part), _default(part), _cell(part["description"]))
            rows.append("| " + " | ".join(columns) + " |")
            if name == "contrasts":
                rows += _rows(part["additionalProperties"], "contrasts.NAME.")
    return rows


def _type(part: dict[str, Any]) -> str:
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    limits = [
        f"{sign} {part[key]:g}"
        for key, sign in (
            ("minimum", ">="),
            ("exclusiveMinimum", ">"),
            ("maximum", "<="),
            ("exclusiveMaximum", "<"),
        )
        if key in part
    ]
    return " ".join([part["type"], ", ".join(limits)]).strip()


def _default(part: dict[str, Any]) -> str:
    if "default" not in part:
        return ""
    text = yaml.safe_dump(part["default"], default_flow_style=True, width=10_000)
    return f"`{_cell(text.removesuffix('...' + chr(10)).strip())}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    (ROOT / "config" / "README.md").write_text(document(), encoding="utf-8")
