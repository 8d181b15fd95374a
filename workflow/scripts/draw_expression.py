"""Draw the top genes of all contrasts by patient."""

from itertools import batched

from snakemake.iocontainers import Snakemake

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table
from lammscope.core.runtime import job_log
from lammscope.expression.models import plain_pseudobulks
from lammscope.expression.pseudobulk import read_counts
from lammscope.report.figures.draw import draw_figures, save_figures
from lammscope.report.figures.gene_levels import GeneLevelData
from lammscope.report.gene_levels import gene_levels

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, inputs = snakemake.params, snakemake.input
    samples = read_sample_table(inputs.samples)
    sums = plain_pseudobulks(read_counts(inputs.pseudobulk))
    paths = batched(snakemake.output.pngs, len(params.figures))
    for each, table, pngs in zip(params.contrasts, inputs.tables, paths, strict=True):
        comparison = Comparison(samples, make_contrast(**each))
        levels = gene_levels(sums, comparison, read_table(table), min_cells=params.min_cells)
        data = GeneLevelData(comparison.contrast, levels)
        save_figures(draw_figures(data, functions=params.figures), pngs, dpi=params.dpi)
