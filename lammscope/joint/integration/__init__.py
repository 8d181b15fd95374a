"""Integration methods: each is a module that describes itself by a `Method`, and a line here.

What comes out is for neighbours, clusters and pictures. No test ever sees corrected values.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lammscope.core.names import NONE
from lammscope.joint.integration.harmony import HARMONY
from lammscope.joint.integration.method import IntegrationInput, Method
from lammscope.joint.integration.scvi import SCVI

# by their names in the config (`integration.method`), in the order of its schema
METHODS: dict[str, Method] = {"harmony": HARMONY, "scvi": SCVI}


def integrate_cells(
    cells: IntegrationInput,
    *,
    method: str,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    model_folder: str | Path | None = None,
) -> np.ndarray:
    """Embed cells by an integration method.

    Parameters
    ----------
    cells
        What the method reads.
    method
        Its name in `METHODS`.
    settings
        Those of the method in the config, covariates aside.
    seed, threads
        Of the algorithm.
    model_folder
        Where to save the trained model, for a method that saves one.

    Returns
    -------
    ndarray
        Cells x dimensions, float32.

    Raises
    ------
    ValueError
        If the package that the method needs is not installed.
    """
    chosen = METHODS[method]
    if not chosen.is_installed():
        raise ValueError(chosen.missing)
    folder = {"model_folder": model_folder} if chosen.saves_model else {}
    return chosen.integrate(cells, **settings, **folder, seed=seed, threads=threads)


def obsm_name(method: str) -> str:
    """Return the name of a method's embedding in `obsm` of `cohort.h5ad`."""
    if method == NONE:
        return "X_pca"
    return METHODS[method].obsm or f"X_{method}"


def other_modules(method: str) -> list[str]:
    """Dotted names of the modules of all other methods, whose edits do not concern this one."""
    modules = {name: known.integrate.__module__ for name, known in METHODS.items()}
    return sorted(set(modules.values()) - {modules[method]})
