"""Draw quality, UMAPs, composition and LAMM cells of the cohort."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from snakemake.iocontainers import Snakemake

from lammscope.annotate.levels import definer_counts, log_levels, pooled_levels
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.cohort import cohort_figures
from lammscope.report.figures.style import save_figure

snakemake: Snakemake
with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.index)
    panel = index.stack_counts(snakemake.input.panel)[:2]
    counts = definer_counts([panel], definers=snakemake.params.definers)
    totals = index.cells["total_counts"].to_numpy()
    neighbors = index.read_arrays(snakemake.input.neighbors)["indices"]
    pooled = pooled_levels(sparse.csr_array(counts), totals=totals, neighbors=neighbors)
    figures = cohort_figures(
        index.read_table(snakemake.input.cells),
        umap=index.read_arrays(snakemake.input.umap)["umap"],
        expression=log_levels(counts, total_counts=totals),
        pooled=pd.DataFrame(pooled, columns=counts.columns),
        qc=dict(zip(snakemake.params.samples, map(read_table, snakemake.input.qc), strict=True)),
        qc_summary=read_table(snakemake.input.summary),
        samples=read_sample_table(snakemake.input.samples),
        counts=read_table(snakemake.input.counts),
        thresholds=snakemake.params.thresholds,
        min_cells=snakemake.params.min_cells,
        max_points=snakemake.params.max_points,
        rng=np.random.default_rng(snakemake.params.seed),
    )
    for path in map(Path, snakemake.output.pngs):
        save_figure(figures[path.stem], path.with_suffix(""), dpi=snakemake.params.dpi)
