"""Draw LAMM cells per patient, abundance and expression of one contrast."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.contrast import ContrastData
from lammscope.report.figures.draw import draw_figures, save_figures

snakemake: Snakemake
with job_log(snakemake.log[0]):
    samples = read_sample_table(snakemake.input.samples)
    data = ContrastData(
        Comparison(samples, make_contrast(**snakemake.params.contrast)),
        counts=read_table(snakemake.input.counts),
        abundance=read_table(snakemake.input.abundance),
        robustness=read_table(snakemake.input.robustness),
        expression=read_table(snakemake.input.expression),
        **snakemake.params.lamm,
        min_cells=snakemake.params.min_cells,
        max_fdr=snakemake.params.max_fdr,
        n_labels=snakemake.params.n_labels,
    )
    figures = draw_figures(data, functions=snakemake.params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=snakemake.params.dpi)
