"""Label one sample's kept cells by a CellTypist model."""

from lammscope.celltypist_model import load_model, predict_types
from lammscope.identifiers import rename_genes
from lammscope.runtime import job_log
from lammscope.shards import read_shard
from lammscope.sidecars import read_cells, read_table, write_table

with job_log(snakemake.log[0]):
    cells, index = read_cells(snakemake.input.cells, sample=snakemake.wildcards.sample)
    shard = rename_genes(read_shard(snakemake.input.shard), read_table(snakemake.input.reference))
    labels = predict_types(
        shard.counts[cells["position"].to_numpy()],
        symbols=shard.genes["symbol"].to_numpy(dtype=str),
        model=load_model(snakemake.input.model),
    )
    labels.insert(0, "cell", cells["cell"].to_numpy())
    write_table(labels, snakemake.output.labels, index=index)
