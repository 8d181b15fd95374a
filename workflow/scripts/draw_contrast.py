"""Draw LAMM cells per patient, abundance and expression of one contrast."""

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.contrast import ContrastData
from lammscope.report.figures.draw import draw_figures, save_figures

with job_log(snakemake.log[0]):
    files, params = snakemake.input, snakemake.params
    samples = read_sample_table(files.samples)
    names = ("counts", "abundance", "robustness", "expression")
    data = ContrastData(
        Comparison(samples, make_contrast(**params.contrast)),
        **{name: read_table(files[name]) for name in names},
        **params.lamm,
        min_cells=params.min_cells,
        max_fdr=params.max_fdr,
        n_labels=params.n_labels,
    )
    figures = draw_figures(data, functions=params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=params.dpi)
