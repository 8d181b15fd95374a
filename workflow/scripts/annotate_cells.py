"""Cell types by the marker panel, over clusters and neighbourhoods."""

import pandas as pd

from lammscope.annotation import annotate_cells
from lammscope.panel import load_panel
from lammscope.runtime import job_log
from lammscope.sidecars import read_arrays, read_cells, read_table, stack_counts, write_table

with job_log(snakemake.log[0]):
    cells, index = read_cells(snakemake.input.cells)
    counts, genes, _ = stack_counts(snakemake.input.counts, index=index)
    clusters = read_table(snakemake.input.clusters, index=index)["cluster"].to_numpy()
    types, table = annotate_cells(
        counts,
        totals=cells["total_counts"].to_numpy(),
        symbols=genes["symbol"].tolist(),
        clusters=clusters,
        neighbors=read_arrays(snakemake.input.neighbors, index=index)["indices"],
        panel=load_panel(snakemake.input.panel),
        **{key: value for key, value in snakemake.params.settings.items() if key != "panel"},
    )
    n_samples = cells["sample"].groupby(clusters).nunique()
    table.insert(2, "n_samples", table["cluster"].map(n_samples))
    labels = cells[["cell", "sample"]].assign(cluster=clusters)
    write_table(pd.concat([labels, types], axis=1), snakemake.output.types, index=index)
    write_table(table, snakemake.output.clusters)
