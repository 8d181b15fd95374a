"""The one pre-specified result, in words, and the versions it was made with."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd

from lammscope import __version__
from lammscope.abundance import primary_sentence
from lammscope.contrasts import Contrast

POSITIVE = (
    "LAMM cells are counted at the positive level here: CSF1R+ CD14+ CD68+ monocytic cells, which "
    "in blood are nearly all monocytes."
)
SOFTWARE = ("snakemake", "anndata", "harmonypy", "faiss-cpu", "igraph", "umap-learn", "numpy")


def state_primary(
    abundance: Mapping[str, pd.DataFrame],
    contrasts: Mapping[str, Mapping[str, Any]],
    *,
    primary: Mapping[str, str],
    level: str,
) -> str:
    """The primary result as a sentence, or a sentence that says why there is none."""
    name = primary["contrast"]
    if name not in contrasts:
        made = ", ".join(f"`{other}`" for other in contrasts) or "none"
        return (
            f"There is no primary result: the cohort has no contrast `{name}` (contrasts made: "
            f"{made}). Name the pre-specified one under `primary` in the config."
        )
    sentence = primary_sentence(
        abundance[name], Contrast(**contrasts[name]), denominator=primary["denominator"]
    )
    return f"{sentence} {POSITIVE}" if level == "positive" else sentence


def software_versions() -> dict[str, str]:
    """Versions of this package and of what decides its numbers."""
    return {"lammscope": __version__, **{name: version(name) for name in SOFTWARE}}
