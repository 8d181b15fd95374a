"""docs/files.md agrees with the catalog of result files."""

import re
from pathlib import Path

from lammscope.report.catalog import read_catalog
from lammscope.report.document import document


def test_the_document_is_up_to_date(repository: Path) -> None:
    assert (repository / "docs" / "files.md").read_text(encoding="utf-8") == document()


def test_the_document_names_every_file_and_every_column() -> None:
    text = document()
    for file in read_catalog().values():
        assert text.count(f"`{file.paths[0]}`") >= 1
        for columns in file.columns:
            assert all(f"`{name.removesuffix('?')}`" in text for name in columns.names)
            assert " ".join(columns.meaning.split()) in " ".join(text.split())


def test_each_row_of_a_table_has_as_many_cells_as_its_header() -> None:
    for block in re.findall(r"(?:^\|.*\n)+", document(), re.M):
        header, *rows = block.splitlines()
        for row in rows:
            assert len(re.findall(r"(?<!\\)\|", row)) == header.count("|"), row
