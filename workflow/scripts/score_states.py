"""Score gene programs in myeloid cells, with their means in every population."""

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.annotate.gene_set_scores import describe_states, score_states
from lammscope.core.gene_sets import read_signatures
from lammscope.core.indexed import CellIndex, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import read_panel

snakemake: Snakemake
with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.index)
    panel, _ = read_panel(snakemake.input.counts, index)
    cells = index.read_table(snakemake.input.cells)
    scores, sets = score_states(
        panel.matrix,
        totals=panel.totals,
        symbols=panel.symbols,
        neighbors=index.read_arrays(snakemake.input.neighbors)["indices"],
        lineage=cells["lineage"].to_numpy(),
        gene_sets=read_signatures(map(find_resource, snakemake.params.gene_sets)),
    )
    means = describe_states(scores, cells=cells, min_cells=snakemake.params.min_cells)
    index.write_table(pd.concat([cells[["cell"]], scores], axis=1), snakemake.output.scores)
    write_table(means, snakemake.output.means)
    write_table(sets, snakemake.output.sets)
