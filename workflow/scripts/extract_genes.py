"""Extract the counts of the variable genes in some samples' kept cells."""

from scipy import sparse
from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log
from lammscope.core.shards import gene_columns
from lammscope.joint.gene_names import kept_cells

snakemake: Snakemake
with job_log(snakemake.log[0]):
    shards = dict(zip(snakemake.params.samples, snakemake.input.shards, strict=True))
    index = CellIndex(snakemake.input.cells, samples=list(shards))
    genes = read_table(snakemake.input.genes)
    samples = kept_cells(shards, cells=index.cells, reference=read_table(snakemake.input.reference))
    counts = [
        shard.counts[positions][:, gene_columns(shard, genes["gene"])]
        for _, shard, positions in samples
    ]
    stacked = sparse.vstack(counts, format="csr")
    index.write_counts(snakemake.output.counts, stacked, genes=genes)
