"""Draw the primary result of the first cohort and of this one."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.cohorts import ReplicationData
from lammscope.report.figures.draw import draw_figures, save_figures

snakemake: Snakemake
with job_log(snakemake.log[0]):
    data = ReplicationData(read_table(snakemake.input.replication))
    figures = draw_figures(data, functions=snakemake.params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=snakemake.params.dpi)
