"""Draw the neighbourhoods of one contrast on the UMAP and by population."""

import numpy as np

from lammscope.cohort.contrasts import make_contrast
from lammscope.core.indexed import read_arrays, read_cells, read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.draw import draw_figures, save_figures
from lammscope.report.figures.neighborhoods import NeighborhoodData
from lammscope.report.order import shown_cells

with job_log(snakemake.log[0]):
    cells, index = read_cells(snakemake.input.index)
    data = NeighborhoodData(
        table=read_table(snakemake.input.table),
        contrast=make_contrast(**snakemake.params.contrast),
        umap=read_arrays(snakemake.input.umap, index=index)["umap"],
        cells=read_table(snakemake.input.cells, columns=["cell", "population"], index=index),
        shown=shown_cells(
            len(cells),
            max_points=snakemake.params.max_points,
            rng=np.random.default_rng(snakemake.params.seed),
        ),
        **snakemake.params.limits,
    )
    figures = draw_figures(data, functions=snakemake.params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=snakemake.params.dpi)
