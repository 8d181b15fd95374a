"""Integration methods. To add one, write a module with its `Method` and add it to `METHODS`.

The embeddings serve only neighbors, clusters and UMAP; no test reads them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lammscope.core.names import NONE
from lammscope.joint.integration.harmony import HARMONY
from lammscope.joint.integration.method import IntegrationInput, Method
from lammscope.joint.integration.scvi import SCVI

# by name in the config (`integration.method`), in the order of its schema
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
        Input of the method.
    method
        Its name in `METHODS`.
    settings
        Settings of the method in the config, without covariates.
    seed, threads
        Of the algorithm.
    model_folder
        Folder for the trained model, for a method that saves one.

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
    """List the modules of all other methods, whose changes do not affect this one."""
    modules = {name: known.integrate.__module__ for name, known in METHODS.items()}
    return sorted(set(modules.values()) - {modules[method]})
