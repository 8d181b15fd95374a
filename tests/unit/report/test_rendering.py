"""Text from data in a style sheet."""

import re

from hypothesis import given
from hypothesis import strategies as st

from lammscope.report.rendering import css_string


def test_letters_and_digits_stay_and_a_string_cannot_be_left() -> None:
    assert css_string("Cohort 12") == "Cohort\\20 12"
    assert css_string('"</style>') == "\\22 \\3c \\2f style\\3e "


@given(st.text())
def test_a_style_sheet_reads_back_what_was_written(text: str) -> None:
    written = css_string(text)
    assert not set(written) & set("\"'<>{};\n")
    assert re.sub(r"\\([0-9a-f]+) ", lambda code: chr(int(code[1], 16)), written) == text
