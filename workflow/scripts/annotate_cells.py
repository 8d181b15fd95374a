"""Annotate clusters and cells with the types of the marker panel."""

from functools import partial

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.annotate.cell_types import annotate_cells
from lammscope.annotate.celltypist import apply_labels
from lammscope.annotate.panel import load_panel, missing_markers
from lammscope.core.indexed import CellIndex, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.neighbors import find_neighbors_within
from lammscope.joint.panel_counts import read_panel

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.search["threads"]) as logger:
    index, params = CellIndex(snakemake.input.cells), snakemake.params
    cells = index.cells
    counts, _ = read_panel(snakemake.input.counts, index)
    clusters = index.read_table(snakemake.input.clusters)["cluster"].to_numpy()
    panel = load_panel(find_resource(params.panel))
    samples = cells["sample"].to_numpy(dtype=str)
    space = index.read_arrays(snakemake.input.space)["space"]
    near = find_neighbors_within(space, groups=samples, **params.search)
    annotate = partial(annotate_cells, counts, clusters=clusters, neighbors=near)
    types, table = annotate(samples=samples, panel=panel, **params.settings)
    labels = [index.read_table(path) for path in snakemake.input.labels]
    types, table = apply_labels(types, table, labels, names=clusters)
    missing = missing_markers(panel, counts.symbols)
    for row in missing[missing["dropped"]].itertuples():
        logger.warning("type %s is left out: no sample has its markers %s", row.entry, row.missing)
    n_samples = cells["sample"].groupby(clusters).nunique()
    table.insert(2, "n_samples", table["cluster"].map(n_samples))
    clustered = cells[["cell", "sample"]].assign(cluster=clusters)
    index.write_table(pd.concat([clustered, types], axis=1), snakemake.output.types)
    write_table(table, snakemake.output.clusters)
    write_table(missing, snakemake.output.missing)
