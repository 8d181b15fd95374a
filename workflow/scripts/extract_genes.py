"""Take the variable genes of one sample's kept cells out of its shard."""

from lammscope.genes import gene_columns
from lammscope.identifiers import rename_genes
from lammscope.runtime import job_log
from lammscope.shards import read_shard
from lammscope.sidecars import read_cells, read_table, write_counts

with job_log(snakemake.log[0]):
    cells, index = read_cells(snakemake.input.cells, sample=snakemake.wildcards.sample)
    genes = read_table(snakemake.input.genes)
    reference = read_table(snakemake.input.reference)
    shard = rename_genes(read_shard(snakemake.input.shard), reference)
    counts = shard.counts[cells["position"].to_numpy()][:, gene_columns(shard, genes["gene"])]
    write_counts(snakemake.output.counts, counts, genes=genes, index=index)
