"""Count the cells of every population in every sample."""

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.abundance.counts import count_cells, count_thresholds, sum_scores
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]):
    cells = read_table(snakemake.input.cells)
    samples = pd.DataFrame({"sample": snakemake.params.samples})
    counts = count_cells(cells, samples, probability=snakemake.params.probability)
    write_table(counts, snakemake.output.counts)
    thresholds = count_thresholds(cells, samples, thresholds=snakemake.params.thresholds)
    write_table(thresholds, snakemake.output.thresholds)
    scores = sum_scores(cells, samples, corrected=read_table(snakemake.input.corrected))
    write_table(scores, snakemake.output.scores)
