"""Label some samples' kept cells with a CellTypist model."""

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.annotate.celltypist import load_model, predict_types
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.gene_names import kept_cells

snakemake: Snakemake
with job_log(snakemake.log[0]):
    shards = dict(zip(snakemake.params.samples, snakemake.input.shards, strict=True))
    index = CellIndex(snakemake.input.cells, samples=list(shards))
    model = load_model(find_resource(snakemake.params.model), trusted=snakemake.params.trusted)
    labels = [
        predict_types(
            shard.counts[positions],
            symbols=shard.genes["symbol"].to_numpy(dtype=str),
            model=model,
        )
        for _, shard, positions in kept_cells(
            shards, cells=index.cells, reference=read_table(snakemake.input.reference)
        )
    ]
    table = pd.concat(labels, ignore_index=True)
    table.insert(0, "cell", index.cells["cell"].to_numpy())
    index.write_table(table, snakemake.output.labels)
