"""Draw the specification curve of the primary result."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.core.indexed import read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.draw import draw_figures, save_figures
from lammscope.report.figures.multiverse import MultiverseData

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, table = snakemake.params, read_table(snakemake.input.specifications)
    data = MultiverseData(table, params.choices, make_contrast(**params.contrast))
    figures = draw_figures(data, functions=params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=params.dpi)
