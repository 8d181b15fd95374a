"""Draw the neighbourhoods of one contrast on the UMAP and by population."""

from pathlib import Path

import numpy as np

from lammscope.cohort.contrasts import make_contrast
from lammscope.core.indexed import read_arrays, read_cells, read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.neighborhoods import neighborhood_figure
from lammscope.report.figures.style import save_figure

with job_log(snakemake.log[0]):
    index = read_cells(snakemake.input.index)[1]
    figure = neighborhood_figure(
        read_table(snakemake.input.table),
        contrast=make_contrast(**snakemake.params.contrast),
        umap=read_arrays(snakemake.input.umap, index=index)["umap"],
        cells=read_table(snakemake.input.cells, columns=["cell", "population"], index=index),
        max_points=snakemake.params.max_points,
        rng=np.random.default_rng(snakemake.params.seed),
        **snakemake.params.limits,
    )
    save_figure(figure, Path(snakemake.output.png).with_suffix(""), dpi=snakemake.params.dpi)
