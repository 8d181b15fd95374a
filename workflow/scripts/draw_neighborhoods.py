"""Draw the neighborhoods of all contrasts on the UMAP and by population."""

from itertools import batched

import numpy as np
from snakemake.iocontainers import Snakemake

from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.draw import draw_figures, save_figures
from lammscope.report.figures.neighborhoods import NeighborhoodData
from lammscope.report.order import shown_cells

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, inputs = snakemake.params, snakemake.input
    index = CellIndex(inputs.index)
    cells = index.read_table(inputs.cells, columns=["cell", "population"])
    umap = index.read_arrays(inputs.umap)["umap"]
    rng = np.random.default_rng(params.seed)
    shown = shown_cells(len(cells), max_points=params.max_points, rng=rng)
    contrasts = [make_contrast(**each) for each in params.contrasts]
    paths = batched(snakemake.output.pngs, len(params.figures))
    for contrast, table, pngs in zip(contrasts, inputs.tables, paths, strict=True):
        data = NeighborhoodData(
            table=read_table(table),
            contrast=contrast,
            umap=umap,
            cells=cells,
            shown=shown,
            **params.limits,
        )
        save_figures(draw_figures(data, functions=params.figures), pngs, dpi=params.dpi)
