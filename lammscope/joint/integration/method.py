"""The description of an integration method, and its input."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.indexed import CellIndex

COMPONENTS, COUNTS = "components", "counts"  # what a method reads


@dataclass(frozen=True)
class IntegrationInput:
    """The input of an integration method.

    Attributes
    ----------
    values
        Principal component scores (cells x components), or raw counts of the variable genes
        (sparse, cells x genes), as the method needs.
    batch
        The batch of each cell.
    covariates
        Other categorical columns of the cells; may be empty.
    genes
        Ids of the genes in the columns of counts; None for components.
    """

    values: np.ndarray | sparse.csr_array
    batch: np.ndarray
    covariates: pd.DataFrame
    genes: np.ndarray | None = None


@dataclass(frozen=True)
class Method:
    """An integration method, as used by the workflow and the report.

    Its settings are under its name in `integration` of the config. The setting `covariates` lists
    columns of the sheets; the method gets their values for each cell instead.

    Attributes
    ----------
    integrate
        Takes an `IntegrationInput`, the settings, `seed` and `threads` (and `model_folder`, if the
        method saves a model), and returns cells x dimensions, float32. It imports the library of
        the method in its body, since the report and the rules import this registry.
    words
        Name of the method in the report.
    reads
        `COMPONENTS` or `COUNTS`.
    memory
        Memory of its job in MB: a base, and the addition per MB of input.
    package, missing
        The package that it imports, and the message if it is not installed.
    obsm
        Name of its embedding in `obsm` of `cohort.h5ad`; if empty, `X_` and the name of the method.
    environment
        Name of its environment in `envs/`.
    saves_model
        Whether it saves a trained model in a folder.
    reference
        What the report cites if it was run: its name, the paper, and the DOI.
    """

    integrate: Callable[..., np.ndarray]
    words: str
    reads: str
    memory: tuple[int, int]
    package: str
    missing: str
    obsm: str = ""
    environment: str = "lammscope"
    saves_model: bool = False
    reference: tuple[str, str, str] | None = None

    def is_installed(self) -> bool:
        """Test whether its package is installed, without the import, which can take seconds."""
        return find_spec(self.package) is not None


def read_input(
    paths: Sequence[str | Path],
    index: CellIndex,
    *,
    reads: str,
    batches: Mapping[str, str],
    covariates: Mapping[str, Mapping[str, str]],
) -> IntegrationInput:
    """Read the input of a method.

    Parameters
    ----------
    paths
        The file of components, or the files of counts in the order of the cell index.
    index
        The cell index.
    reads
        `COMPONENTS` or `COUNTS`.
    batches, covariates
        The batch of each sample; for each covariate, its value for each sample.

    Raises
    ------
    ValueError
        If a file was made for another cell index.
    """
    sample = index.cells["sample"]
    batch = sample.map(batches).to_numpy()
    columns = {name: sample.map(of_samples) for name, of_samples in covariates.items()}
    of_cells = pd.DataFrame(columns, index=sample.index)
    if reads == COUNTS:
        counts, genes, _ = index.stack_counts(paths)
        return IntegrationInput(counts, batch, of_cells, genes["gene"].to_numpy(dtype=str))
    (path,) = paths
    return IntegrationInput(index.read_arrays(path)["space"], batch, of_cells)
