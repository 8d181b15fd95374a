"""Draw quality, UMAPs, composition and LAMM cells of the cohort."""

import numpy as np
from snakemake.iocontainers import Snakemake

from lammscope.annotate.levels import definer_levels
from lammscope.cohort.sample_table import read_labeled
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.cohort import CohortData
from lammscope.report.figures.draw import draw_figures, save_figures
from lammscope.report.order import drawing_order

snakemake: Snakemake
with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.index)
    cells = index.read_table(snakemake.input.cells)
    single, pooled = definer_levels(
        *index.stack_counts(snakemake.input.panel)[:2],
        definers=snakemake.params.definers,
        totals=index.cells["total_counts"].to_numpy(),
        neighbors=index.read_arrays(snakemake.input.neighbors)["indices"],
    )
    rng = np.random.default_rng(snakemake.params.seed)
    order = drawing_order(len(cells), max_points=snakemake.params.max_points, rng=rng)
    data = CohortData(
        cells=cells,
        umap=index.read_arrays(snakemake.input.umap)["umap"],
        expression=single,
        pooled=pooled,
        order=order,
        qc=dict(zip(snakemake.params.samples, map(read_table, snakemake.input.qc), strict=True)),
        qc_summary=read_table(snakemake.input.summary),
        samples=read_labeled(snakemake.input.samples, snakemake.params.labels),
        counts=read_table(snakemake.input.counts),
        thresholds=snakemake.params.thresholds,
        min_cells=snakemake.params.min_cells,
    )
    figures = draw_figures(data, functions=snakemake.params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=snakemake.params.dpi)
