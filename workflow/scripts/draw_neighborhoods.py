"""Draw the neighborhoods of one contrast on the UMAP and by population."""

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
    index = CellIndex(snakemake.input.index)
    cells = index.read_table(snakemake.input.cells, columns=["cell", "population"])
    data = NeighborhoodData(
        table=read_table(snakemake.input.table),
        contrast=make_contrast(**snakemake.params.contrast),
        umap=index.read_arrays(snakemake.input.umap)["umap"],
        cells=cells,
        shown=shown_cells(
            len(cells),
            max_points=snakemake.params.max_points,
            rng=np.random.default_rng(snakemake.params.seed),
        ),
        **snakemake.params.limits,
    )
    figures = draw_figures(data, functions=snakemake.params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=snakemake.params.dpi)
