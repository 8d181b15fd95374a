"""Count the cells of every population in a folder, and LAMM cells at all probabilities."""

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.abundance.counts import count_cells, count_thresholds
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, cells = snakemake.params, read_table(snakemake.input.cells)
    samples = pd.DataFrame({"sample": params.samples})
    counts = count_cells(cells, samples, probability=params.probability)
    write_table(counts, snakemake.output.counts)
    thresholds = count_thresholds(cells, samples, thresholds=params.thresholds)
    write_table(thresholds, snakemake.output.thresholds)
