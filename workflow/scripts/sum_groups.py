"""Sum one sample's counts over clusters and over populations, in one pass over its shard."""

from lammscope.groups import merge_groups, sum_groups, write_sums
from lammscope.identifiers import rename_genes
from lammscope.runtime import job_log
from lammscope.shards import read_shard
from lammscope.sidecars import read_cells, read_table

with job_log(snakemake.log[0]):
    sample = snakemake.wildcards.sample
    kept, index = read_cells(snakemake.input.index, sample=sample)
    labels = read_table(snakemake.input.cells, index=index, sample=sample)
    shard = rename_genes(read_shard(snakemake.input.shard), read_table(snakemake.input.reference))
    pairs = labels.groupby(["cluster", "population"])
    sums = sum_groups(shard, positions=kept["position"].to_numpy(), labels=pairs.ngroup())
    names = pairs.size().reset_index()
    outputs = {"cluster": "clusters", "population": "populations"}
    for column, output in outputs.items():
        merged = merge_groups(sums, names.loc[sums.groups.astype(int), column])
        write_sums(snakemake.output[output], merged, index=index)
