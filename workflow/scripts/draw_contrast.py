"""Draw LAMM cells per patient, abundance and expression of all contrasts."""

from itertools import batched

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
    params, inputs = snakemake.params, snakemake.input
    samples, counts = read_sample_table(inputs.samples), read_table(inputs.counts)
    contrasts = [make_contrast(**each) for each in params.contrasts]
    tables = zip(inputs.abundance, inputs.robustness, inputs.expression, strict=True)
    paths = batched(snakemake.output.pngs, len(params.figures))
    for contrast, own, pngs in zip(contrasts, tables, paths, strict=True):
        abundance, robustness, expression = map(read_table, own)
        data = ContrastData(
            Comparison(samples, contrast),
            counts=counts,
            abundance=abundance,
            robustness=robustness,
            expression=expression,
            **params.lamm,
            **params.cells,
            denominator=params.denominator,
            max_fdr=params.max_fdr,
            n_labels=params.n_labels,
        )
        save_figures(draw_figures(data, functions=params.figures), pngs, dpi=params.dpi)
