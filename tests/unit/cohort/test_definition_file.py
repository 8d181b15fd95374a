"""The file `definition.yaml`: the same bytes, and no edit goes unnoticed."""

import re
from pathlib import Path

import pytest

from lammscope.cohort.definition_file import Definition, definition_text, read_definition
from tests.definitions import definition_content, write_definition


def test_a_definition_is_read_as_it_was_written(tmp_path: Path) -> None:
    content = definition_content()
    read = read_definition(write_definition(tmp_path / "definition.yaml"))
    assert isinstance(read, Definition)
    assert read.contents == content
    assert read.contrast == "baseline"


def test_the_same_content_gives_the_same_bytes_without_paths(tmp_path: Path) -> None:
    text = definition_text(definition_content())
    assert text == definition_text(definition_content())
    assert str(tmp_path) not in text
    assert "/" not in "".join(re.sub(r"#.*", "", line) for line in text.splitlines())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ci_low: 0.31", "ci_low: 0.32", "`estimate.ci_low` was edited (it is 0.32"),
        ("probability: 0.9\n    fold", "probability: 0.8\n    fold", "`settings.lamm.probability`"),
        ("    - CD14", "    - CD16", "`settings.lamm.definers` was edited"),
        ("per_10k: 2.5", "per_10k: 2.6", "vetoes.doublet_t_monocyte.per_10k` was edited"),
        ("  se: 0.3\n", "", "`estimate.se` was removed"),
        ("  se: 0.3\n", "  se: 0.3\n  q: 1\n", "`estimate.q` was added"),
        ("estimate.se: x", "estimate.se: y", "`estimate.se` was edited"),
        ("format: 1", "format: 2", "`format` is 2, and this version of LAMMscope reads 1"),
        ("record:", "records:", "section `record` is missing"),
    ],
)
def test_an_edit_is_found_and_its_key_named(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = write_definition(tmp_path / "definition.yaml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_definition(path)
    assert all(line.startswith(f"{path}: ") for line in str(caught.value).splitlines())


def test_another_release_is_refused(tmp_path: Path) -> None:
    content = definition_content()
    content["record"] = {**content["record"], "versions": {"lammscope": "0.7.2"}}
    path = tmp_path / "definition.yaml"
    path.write_text(definition_text(content))
    with pytest.raises(ValueError, match=r"was written by LAMMscope 0\.7\.2"):
        read_definition(path)


def test_what_is_no_definition_is_told_plainly(tmp_path: Path) -> None:
    def told(path: Path) -> str:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared
            read_definition(path)
        return str(caught.value)

    assert "no such file; name the definition.yaml" in told(tmp_path / "none.yaml")
    path = write_definition(tmp_path / "first" / "definition.yaml")
    assert f"is a folder; name the file: `{path}`" in told(path.parent)
    other = tmp_path / "config.yaml"
    other.write_text("samples: a.tsv\n")
    assert "is not a definition" in told(other)
    other.write_text("a: [1\nb")
    assert "is not YAML" in told(other)
    other.write_bytes(b"\xff\xfe\x00")
    assert "is not YAML" in told(other)


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    path = write_definition(tmp_path / "definition.yaml", sd_test=float("nan"))
    assert "sd_test: null" in path.read_text()
    assert read_definition(path).estimate["sd_test"] is None
