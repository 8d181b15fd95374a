"""Score gene programs in myeloid cells and in T cells, and sum those of T cells per sample."""

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.gene_set_scores import describe_states, score_states
from lammscope.axis.t_states import TPrograms, score_t_cells, sum_measures
from lammscope.core.gene_sets import read_signatures
from lammscope.core.indexed import CellIndex, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import read_panel

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, index = snakemake.params, CellIndex(snakemake.input.index)
    panel, has_car = read_panel(snakemake.input.counts, index)
    cells = index.read_table(snakemake.input.cells)
    arrays = {name: index.read_arrays(snakemake.input[name]) for name in ("space", "neighbors")}
    scores, sets = score_states(
        panel.matrix,
        totals=panel.totals,
        symbols=panel.symbols,
        neighbors=arrays["neighbors"]["indices"],
        lineage=cells["lineage"].to_numpy(),
        gene_sets=read_signatures(map(find_resource, params.gene_sets)),
    )
    means = describe_states(scores, cells=cells, min_cells=params.min_cells)
    programs = TPrograms(read_signatures(map(find_resource, params.programs)), **params.states)
    among = {"cells": cells, "lineage": "T", "within": "sample", **params.search}
    near = lineage_neighbors(arrays["space"]["space"], **among)
    of_t, t_sets = score_t_cells(panel, cells=cells, neighbors=near, programs=programs)
    car = {"has_car": has_car, "car_sorted": params.car_sorted}
    measures = sum_measures(of_t, cells, states=list(programs.leading), **car)
    for table, name in ((scores, "scores"), (of_t, "t_scores")):
        index.write_table(pd.concat([cells[["cell"]], table], axis=1), snakemake.output[name])
    tables = {"means": means, "sets": sets, "measures": measures, "programs": t_sets}
    for name, table in tables.items():
        write_table(table, snakemake.output[name])
