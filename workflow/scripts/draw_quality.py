"""Draw quality control: barcodes, ambient RNA, losses by lineage, doublets and contamination."""

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.cohort.sample_table import read_labeled
from lammscope.core.indexed import read_table
from lammscope.core.runtime import job_log
from lammscope.report.figures.draw import draw_figures, save_figures
from lammscope.report.figures.quality import QualityData

snakemake: Snakemake
with job_log(snakemake.log[0]):
    tables, params = snakemake.input, snakemake.params
    data = QualityData(
        qc=dict(zip(params.samples, map(read_table, tables.qc), strict=True)),
        lineages=read_table(tables.lineages),
        doublets=dict(zip(params.channels, map(read_table, tables.doublets), strict=True)),
        contamination=pd.concat(map(read_table, tables.contamination), ignore_index=True),
        verdicts=read_table(tables.verdicts),
        samples=read_labeled(tables.samples, params.labels),
        thresholds=params.thresholds,
    )
    figures = draw_figures(data, functions=params.figures)
    save_figures(figures, snakemake.output.pngs, dpi=params.dpi)
