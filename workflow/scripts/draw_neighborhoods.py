"""Draw the neighbourhoods of one contrast on the UMAP and by population."""

import numpy as np

from lammscope.cohort.contrasts import make_contrast
from lammscope.core.indexed import read_arrays, read_cells, read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.draw import draw_figures, save_figures
from lammscope.report.figures.neighborhoods import NeighborhoodData
from lammscope.report.order import shown_cells

with job_log(snakemake.log[0]):
    files, params = snakemake.input, snakemake.params
    cells, index = read_cells(files.index)
    data = NeighborhoodData(
        table=read_table(files.table),
        contrast=make_contrast(**params.contrast),
        umap=read_arrays(files.umap, index=index)["umap"],
        cells=read_table(files.cells, columns=["cell", "population"], index=index),
        shown=shown_cells(
            len(cells), max_points=params.max_points, rng=np.random.default_rng(params.seed)
        ),
        **params.limits,
    )
    figures = draw_figures(data, functions=params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=params.dpi)
