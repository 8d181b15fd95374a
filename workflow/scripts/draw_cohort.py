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
    cells, index = read_cells(snakemake.input.index)
    single, pooled = definer_levels(
        *stack_counts(snakemake.input.panel, index=index)[:2],
        definers=snakemake.params.definers,
        totals=cells["total_counts"].to_numpy(),
        neighbors=read_arrays(snakemake.input.neighbors, index=index)["indices"],
    )
    data = CohortData(
        cells=read_table(snakemake.input.cells, index=index),
        umap=read_arrays(snakemake.input.umap, index=index)["umap"],
        expression=single,
        pooled=pooled,
        order=drawing_order(
            len(cells),
            max_points=snakemake.params.max_points,
            rng=np.random.default_rng(snakemake.params.seed),
        ),
        qc=dict(zip(snakemake.params.samples, map(read_table, snakemake.input.qc), strict=True)),
        qc_summary=read_table(snakemake.input.summary),
        samples=read_sample_table(snakemake.input.samples),
        counts=read_table(snakemake.input.counts),
        thresholds=snakemake.params.thresholds,
        min_cells=snakemake.params.min_cells,
    )
    figures = draw_figures(data, functions=snakemake.params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=snakemake.params.dpi)
