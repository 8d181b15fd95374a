"""Measure how many macrophage-like cells are found by their number, and correct numbers for it."""

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.annotate.lamm_settings import CallSettings
from lammscope.annotate.recall import CalledCells, correct_samples, measure_recall
from lammscope.core.indexed import CellIndex, write_table
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import read_panel

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.search["threads"]):
    params, index = snakemake.params, CellIndex(snakemake.input.index)
    settings = CallSettings.read(params.settings, **params.files)
    counts, _ = read_panel(snakemake.input.counts, index)
    space = index.read_arrays(snakemake.input.space)["space"]
    groups = pd.Series(params.batches).reindex(params.samples)
    cells = index.read_table(snakemake.input.cells)
    cells["group"] = cells["sample"].astype(str).map(groups)
    called = CalledCells(cells, counts, space, settings.state)
    recall = measure_recall(called, probability=settings.probability, **params.search)
    write_table(recall, snakemake.output.recall)
    numbers = correct_samples(cells, recall, samples=groups, probability=settings.probability)
    write_table(numbers, snakemake.output.numbers)
