"""Draw what cell types and LAMM calls rest on."""

from pathlib import Path

from lammscope.core.resources import find_resource
from lammscope.drawing import save_figure
from lammscope.evidence_plots import evidence_figures
from lammscope.panel import load_panel
from lammscope.runtime import job_log
from lammscope.sheets import read_samples
from lammscope.sidecars import read_cells, read_table

with job_log(snakemake.log[0]):
    _, index = read_cells(snakemake.input.index)
    names = ("clusters", "cluster_genes", "calls", "states")
    figures = evidence_figures(
        **{name: read_table(snakemake.input[name]) for name in names},
        panel=load_panel(find_resource(snakemake.params.panel)),
        definers=snakemake.params.definers,
        cells=read_table(snakemake.input.cells, index=index),
        samples=read_samples(snakemake.params.cohort),
    )
    for path in map(Path, snakemake.output.pngs):
        save_figure(figures[path.stem], path.with_suffix(""), dpi=snakemake.params.dpi)
