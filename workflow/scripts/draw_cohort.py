"""Draw quality, UMAPs, composition and LAMM cells of the cohort."""

import numpy as np

from lammscope.annotate.levels import definer_levels
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_arrays, read_cells, read_table, stack_counts
from lammscope.core.runtime import job_log
from lammscope.report.figures.cohort import CohortData
from lammscope.report.figures.draw import draw_figures, save_figures
from lammscope.report.order import drawing_order

with job_log(snakemake.log[0]):
    files, params = snakemake.input, snakemake.params
    cells, index = read_cells(files.index)
    single, pooled = definer_levels(
        *stack_counts(files.panel, index=index)[:2],
        definers=params.definers,
        totals=cells["total_counts"].to_numpy(),
        neighbors=read_arrays(files.neighbors, index=index)["indices"],
    )
    data = CohortData(
        cells=read_table(files.cells, index=index),
        umap=read_arrays(files.umap, index=index)["umap"],
        expression=single,
        pooled=pooled,
        order=drawing_order(
            len(cells), max_points=params.max_points, rng=np.random.default_rng(params.seed)
        ),
        qc=dict(zip(params.samples, map(read_table, files.qc), strict=True)),
        qc_summary=read_table(files.summary),
        samples=read_sample_table(files.samples),
        counts=read_table(files.counts),
        thresholds=params.thresholds,
        min_cells=params.min_cells,
    )
    figures = draw_figures(data, functions=params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=params.dpi)
