"""Draw the evidence for cell types and LAMM calls."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.panel import load_panel
from lammscope.cohort.sample_table import read_labeled
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.report.figures.draw import draw_figures, save_figures
from lammscope.report.figures.evidence import EvidenceData

snakemake: Snakemake
with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.index)
    names = ("clusters", "cluster_genes", "calls", "states")
    data = EvidenceData(
        **{name: read_table(snakemake.input[name]) for name in names},
        panel=load_panel(find_resource(snakemake.params.panel)),
        definers=snakemake.params.definers,
        min_cells=snakemake.params.min_cells,
        cells=index.read_table(snakemake.input.cells),
        samples=read_labeled(snakemake.input.samples, snakemake.params.labels),
    )
    figures = draw_figures(data, functions=snakemake.params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=snakemake.params.dpi)
