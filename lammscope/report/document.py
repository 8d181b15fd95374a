"""Write docs/files.md from the catalog of result files: `python -m lammscope.report.document`."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from lammscope.core.resources import HOME
from lammscope.report.catalog import Columns, ResultFile, read_catalog

WIDTH = 100
HEAD = """# Result files

Generated from `lammscope/report/results.yaml` by `python -m lammscope.report.document`. Do not
edit: a test compares the two.

All files are under `results/` (or the folder of `pathvars.results`). Tables are `.tsv`
(tab-separated, with header), `.tsv.gz` or `.parquet`. Files with a row per cell carry the checksum
of their cell index and are refused with any other, so rows are never matched to the wrong cells.

`{sample}`, `{channel}`, `{contrast}`, `{figure}` and `{method}` (of integration) stand for names,
`{part}` for a group of up to ten samples, and `<word>` for any text in the name of a column.
"""


def document() -> str:
    """Return the text of docs/files.md."""
    sections = groupby(read_catalog().values(), key=lambda file: file.section)
    return "\n".join([HEAD, *(_section(title, files) for title, files in sections)])


def _section(title: str, files: Iterable[ResultFile]) -> str:
    blocks = [f"## {title}\n"]
    for layout, group in groupby(files, key=lambda file: file.layout):
        if layout == "row":
            rows = [(_path(file), _description(file)) for file in group]
            blocks.append(_table(("file", "content"), rows))
        else:
            blocks += (block for file in group for block in _blocks(file))
    return "\n".join(blocks)


def _blocks(file: ResultFile) -> Iterator[str]:
    """Return the paragraph of a file and, if it has one, the table of its columns."""
    if file.layout == "table":
        yield _wrapped(f"{_path(file)}: {_content(file)}.")
        rows = [(", ".join(map(_name, names)), meaning) for names, meaning in file.columns]
        yield _table(("column", "meaning"), rows)
    else:
        yield _wrapped(f"{_path(file)}: {_description(file)}")
    if file.below:
        yield file.below


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"


def _description(file: ResultFile) -> str:
    """Describe a file and its columns."""
    text = _content(file)
    if file.columns:
        text = f"{text}: {_inline(file.columns)}"
    ends = bool(file.notes) or file.layout == "paragraph"
    return f"{text}{'.' if ends else ''} {file.notes}".strip()


def _content(file: ResultFile) -> str:
    return f"{file.content}, one row per {file.row}" if file.row else file.content


def _inline(columns: Sequence[Columns]) -> str:
    """List columns with their meanings in brackets; semicolons separate groups with one meaning."""
    text = ""
    for before, after in zip([None, *columns], columns, strict=False):
        shared = any(len(part.names) > 1 and part.meaning for part in (before, after) if part)
        separator = "" if before is None else "; " if shared else ", "
        meaning = f" ({after.meaning})" if after.meaning else ""
        text += separator + ", ".join(map(_name, after.names)) + meaning
    return text


def _path(file: ResultFile) -> str:
    """Return the paths of a file; those that differ by suffix are shortened to it."""
    first, *others = file.paths
    stem = first.rpartition(".")[0]
    shown = (first, *(other.removeprefix(stem) for other in others))
    return ", ".join(f"`{path}`" for path in shown)


def _name(column: str) -> str:
    return f"`{column.removesuffix('?')}`"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    first, *others = ("| " + " | ".join(line) + " |" for line in (header, *rows))
    return "\n".join([first, "|---" * len(header) + "|", *others, ""])


if __name__ == "__main__":
    (HOME / "docs" / "files.md").write_text(document(), encoding="utf-8")
