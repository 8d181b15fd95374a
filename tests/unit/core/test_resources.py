"""Files named in the config: the user's own come before those of the workflow."""

from pathlib import Path

import pytest

from lammscope.core.resources import find_resource

PANEL = "resources/markers/immune_blood_tumour.yaml"


def test_the_users_own_file_comes_before_the_one_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_resource(PANEL) == repository / PANEL
    own = tmp_path / PANEL
    own.parent.mkdir(parents=True)
    own.write_text("own")
    assert find_resource(PANEL).resolve() == own
    assert find_resource(own) == own


def test_a_file_that_nobody_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"^markers\.yaml: no such file here"):
        find_resource("markers.yaml")
