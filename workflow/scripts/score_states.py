"""Programmes of myeloid cells, and their means in every population."""

import pandas as pd

from lammscope.core.resources import find_resource
from lammscope.runtime import job_log
from lammscope.sidecars import read_arrays, read_cells, read_table, stack_panel, write_table
from lammscope.signatures import read_signatures
from lammscope.states import describe_states, score_states

with job_log(snakemake.log[0]):
    about, index = read_cells(snakemake.input.index)
    counts, symbols, _ = stack_panel(snakemake.input.counts, index=index)
    cells = read_table(snakemake.input.cells, index=index)
    scores, sets = score_states(
        counts,
        totals=about["total_counts"].to_numpy(),
        symbols=symbols,
        neighbors=read_arrays(snakemake.input.neighbors, index=index)["indices"],
        lineage=cells["lineage"].to_numpy(),
        gene_sets=read_signatures(map(find_resource, snakemake.params.gene_sets)),
    )
    means = describe_states(scores, cells=cells, min_cells=snakemake.params.min_cells)
    write_table(pd.concat([cells[["cell"]], scores], axis=1), snakemake.output.scores, index=index)
    write_table(means, snakemake.output.means)
    write_table(sets, snakemake.output.sets)
