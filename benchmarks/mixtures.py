"""Mixtures of real macrophages of tissue and real monocytes of blood, called again.

A mixture is a cohort of one laboratory: in each sample some labeled macrophages of a tissue lie
among the monocytes and lymphocytes of a blood sample, and calls are repeated by the package. The
deeper part is thinned to the median UMIs of the other. Positions are those of the joint principal
components, where the tissue is moved by the difference of its T cells from those of the blood.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.lamm_calls import MACROPHAGES, MONOCYTES, Called
from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.lamm import MONOCYTIC, NON_MYELOID, call_lamm
from lammscope.annotate.recall import CalledCells
from lammscope.core.indexed import CellIndex
from lammscope.joint.panel_counts import PanelCounts

KEPT = 0.9  # of the monocytes of a half, drawn anew for each sample
N_NEIGHBORS, SEED = 20, 1  # defaults of the config


@dataclass(frozen=True)
class Mixture:
    """Rows of a run: cells of one blood sample, and the macrophages of one tissue.

    Attributes
    ----------
    blood, tissue
        Name of the sample, and of the set.
    monocytes, macrophages, lymphocytes
        Rows of labeled cells; not all are typed as their label.
    space
        Positions of all cells of the run.
    """

    called: Called
    blood: str
    tissue: str
    monocytes: np.ndarray
    macrophages: np.ndarray
    lymphocytes: np.ndarray
    space: np.ndarray

    def half(self, which: int) -> Self:
        """Return every second monocyte and macrophage, from the first (0) or the second (1)."""
        monocytes, macrophages = self.monocytes[which::2], self.macrophages[which::2]
        return replace(self, monocytes=monocytes, macrophages=macrophages)

    def sizes(self, numbers: np.ndarray) -> np.ndarray:
        """Limit numbers of macrophages in a sample to those that there are."""
        return np.asarray(np.minimum(numbers, len(self.macrophages)))

    def call(self, numbers: Sequence[int] | np.ndarray, rng: np.random.Generator) -> CalledCells:
        """Call a cohort in which each sample has a number of macrophages; `true` marks them."""
        cells, counts = self._draw(numbers, rng)
        space = self.space[cells["row"]]
        near = lineage_neighbors(
            space,
            cells=cells,
            lineage=MONOCYTIC,
            within="sample",
            n_neighbors=N_NEIGHBORS,
            seed=SEED,
            threads=1,
        )
        settings = self.called.settings
        calls = call_lamm(
            counts, neighbors=near, sample_neighbors=near, cells=cells, settings=settings
        )
        return CalledCells(cells.assign(**calls), counts, space, settings.state)

    def _draw(
        self, numbers: Sequence[int] | np.ndarray, rng: np.random.Generator
    ) -> tuple[pd.DataFrame, PanelCounts]:
        """Draw the cells of each sample, and thin their counts."""
        every, run = self.called.cells, self.called.counts
        totals = np.asarray(run.totals, dtype=float)
        depth = [np.median(totals[rows]) for rows in (self.monocytes, self.macrophages)]
        kept = min(depth) / np.array(depth)
        matrices, found = [], []
        for place, number in enumerate(numbers):
            size = int(KEPT * len(self.monocytes))
            parts = [
                (rng.choice(self.monocytes, size, replace=False), kept[0]),
                (self.lymphocytes, kept[0]),
                (rng.choice(self.macrophages, int(number), replace=False), kept[1]),
            ]
            for at, (rows, share) in enumerate(parts):
                matrix = sparse.csr_array(run.matrix[rows], copy=True)
                matrix.data = rng.binomial(matrix.data, share)
                matrices.append(matrix)
                about = {"row": rows, "sample": f"sample {place}", "true": at == 2}
                found.append(pd.DataFrame(about | {"total": totals[rows] * share, "n": number}))
        cells = pd.concat(found, ignore_index=True).assign(group=self.blood)
        for column in ("lineage", "cell_type"):
            cells[column] = every[column].to_numpy(dtype=str)[cells["row"]]
        libraries = {self.blood, *every.loc[self.macrophages, "sample"].astype(str)}
        absent = sorted({gene for name in libraries for gene in run.absent.get(name, ())})
        counts = replace(
            run,
            matrix=sparse.csr_array(sparse.vstack(matrices)),
            totals=cells["total"].to_numpy(),
            absent=dict.fromkeys(cells["sample"].unique(), absent),
        )
        return cells, counts


def read_mixtures(called: Called, folder: Path) -> Iterator[Mixture]:
    """Yield the mixtures of each blood sample and each tissue of a run of all sets together."""
    results = folder / "results" / "joint"
    space = CellIndex(results / "cells.parquet").read_arrays(results / "pca.npz")["space"]
    cells = called.cells
    sample, lineage = (cells[name].to_numpy(dtype=str) for name in ("sample", "lineage"))
    for blood, labels in _blood_samples(cells).items():
        monocytes = (sample == blood) & cells["label"].isin(labels).to_numpy()
        if labels == ["none"]:  # typed by the run itself
            monocytes &= lineage == MONOCYTIC
        lymphocytes = (sample == blood) & np.isin(lineage, NON_MYELOID)
        for tissue, label in MACROPHAGES.items():
            own = (cells["set"] == tissue).to_numpy()
            t_cells = lineage == "T"
            moved = space.copy()
            moved[own] += space[t_cells & (sample == blood)].mean(axis=0) - space[
                t_cells & own
            ].mean(axis=0)
            macrophages = own & (cells["label"] == label).to_numpy()
            yield Mixture(
                called,
                blood,
                tissue,
                monocytes=np.flatnonzero(monocytes),
                macrophages=np.flatnonzero(macrophages),
                lymphocytes=np.flatnonzero(lymphocytes),
                space=moved,
            )


def _blood_samples(cells: pd.DataFrame) -> dict[str, list[str]]:
    """Return the labels of monocytes in each sample of blood."""
    found = {}
    for name, labels in MONOCYTES.items():
        wanted = sorted({label.partition(":")[0] for label in labels})
        for sample in cells.loc[cells["set"] == name, "sample"].astype(str).unique():
            found[sample] = wanted
    return found
