"""Small files of text, and text from elsewhere that people and their spreadsheets will read."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

LARGEST = 20_000_000  # bytes of a config, panel or sheet; real ones have under 1 MB
LONGEST = 1_000  # letters of a value
LONGEST_NAME = 100  # letters; with our endings, file names stay under 255 bytes
# Control characters, marks of the direction of writing, characters without width, and separators
# of lines: a reader does not see them, and two names that differ in them look alike.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# What a spreadsheet program runs when it opens a table. A sign before a word or number is none.
FORMULA = re.compile(r"[=@].|[+-][^|!]*[(|!]", re.DOTALL)


def check_regular(path: Path) -> None:
    """Refuse a device, pipe or socket, whose content may never end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError("is a device or pipe, not a file; write its content to a file")


def read_text(path: Path) -> str:
    """Read a small file of text whole, such as a config.

    Raises
    ------
    ValueError
        If it is too large for one, a device or a pipe: one line that starts with the path.
    """
    try:
        check_regular(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(
            f"{path}: has {size / 1e6:,.0f} MB, and at most {LARGEST / 1e6:.0f} are read of such a "
            "file; is it the right one?"
        )
    return path.read_text(encoding="utf-8")


def text_problem(text: str, *, longest: int = LONGEST, may_compute: bool = False) -> str:
    """Say why a text cannot be a name or value, and what to do; empty if it can be.

    Parameters
    ----------
    text
        A cell of a sheet, a name of a gene set, or the like.
    longest
        How many letters it may have.
    may_compute
        Whether it may begin like a formula, as no table shows it.
    """
    if found := HIDDEN.search(text):
        name = unicodedata.name(found[0], "control character").lower()
        shown = HIDDEN.sub("\ufffd", text)[:40]
        return f"`{shown}` has a hidden character (U+{ord(found[0]):04X}, {name}); type it again"
    if len(text) > longest:
        return f"`{text[:20]}...` has {len(text):,} letters; at most {longest:,} are allowed"
    if not may_compute and FORMULA.match(text):
        return f"`{text[:40]}` begins like a formula, which a spreadsheet would run; rename it"
    return ""


def refuse_hidden(text: str, path: Path) -> None:
    """Refuse a file of text with hidden characters other than tabs and ends of lines."""
    for row, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if found := HIDDEN.search(line.replace("\t", " ")):
            raise ValueError(f"{path}: row {row}: {text_problem(found[0])}")


def first_problem(texts: Iterable[str], *, longest: int = LONGEST) -> str:
    """Return the first problem of several texts, or empty text; fast for thousands of names."""
    texts = list(texts)
    joined = "".join(texts)
    if not HIDDEN.search(joined) and max(map(len, texts), default=0) <= longest:
        texts = [text for text in texts if text[:1] in ("=", "+", "-", "@")]
    return next((found for text in texts if (found := text_problem(text, longest=longest))), "")
