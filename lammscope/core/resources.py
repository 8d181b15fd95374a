"""Files named in the config: the user's own, or those that ship with the workflow."""

from pathlib import Path

HOME = Path(__file__).resolve().parents[2]  # of the workflow


def find_resource(path: str | Path) -> Path:
    """Return the user's own file at `path`, or else the one that ships with the workflow.

    Raises
    ------
    FileNotFoundError
        If there is neither.
    """
    for folder in (Path(), HOME):
        if (file := folder / path).is_file():
            return file
    raise FileNotFoundError(f"{path}: no such file here, and none ships with the workflow")
