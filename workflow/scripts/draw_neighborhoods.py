"""Draw the neighborhoods of one contrast on the UMAP and by population."""

from pathlib import Path

import numpy as np

from lammscope.cohort.contrasts import make_contrast
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.neighborhoods import neighborhood_figure
from lammscope.report.figures.style import save_figure

with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.index)
    figure = neighborhood_figure(
        read_table(snakemake.input.table),
        contrast=make_contrast(**snakemake.params.contrast),
        umap=index.read_arrays(snakemake.input.umap)["umap"],
        cells=index.read_table(snakemake.input.cells, columns=["cell", "population"]),
        max_points=snakemake.params.max_points,
        rng=np.random.default_rng(snakemake.params.seed),
        **snakemake.params.limits,
    )
    save_figure(figure, Path(snakemake.output.png).with_suffix(""), dpi=snakemake.params.dpi)
