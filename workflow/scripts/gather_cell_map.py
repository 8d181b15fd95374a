"""Gather what the interactive map of the cells shows."""

import json

import numpy as np
from snakemake.iocontainers import Snakemake

from lammscope.annotate.levels import definer_counts, log_levels
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log, whole_file
from lammscope.report.cell_map import choose_cells, choose_genes, pack_cell_map
from lammscope.report.labels import label_tables

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params = snakemake.params
    index = CellIndex(snakemake.input.index)
    tables = {
        "cells": index.read_table(snakemake.input.cells),
        "samples": read_sample_table(snakemake.input.samples),
    }
    named = label_tables(tables, params.labels)
    counts, genes, arrays = index.stack_counts(snakemake.input.panel)
    present = genes["symbol"][arrays["present"].any(axis=0)]
    clusters = read_table(snakemake.input.clusters)
    chosen = choose_genes(clusters, definers=params.definers, present=present)
    umis = definer_counts([(counts, genes)], definers=chosen)
    data = pack_cell_map(
        named["cells"],
        umap=index.read_arrays(snakemake.input.umap)["umap"],
        samples=named["samples"],
        levels=log_levels(umis, total_counts=index.cells["total_counts"].to_numpy()),
        shown=choose_cells(tables["cells"], rng=np.random.default_rng(params.seed)),
    )
    with whole_file(snakemake.output.data) as temporary:
        temporary.write_text(json.dumps(data), encoding="utf-8")
