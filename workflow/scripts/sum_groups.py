"""Sum counts over clusters and over populations, in one pass over each sample's counts."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.sums import GroupSums, merge_groups, sum_groups, write_sums
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log
from lammscope.joint.gene_names import kept_cells

snakemake: Snakemake
with job_log(snakemake.log[0]):
    shards = dict(zip(snakemake.params.samples, snakemake.input.shards, strict=True))
    index = CellIndex(snakemake.input.index, samples=list(shards))
    labels = index.read_table(snakemake.input.cells)
    sums: dict[str, dict[str, GroupSums]] = {"cluster": {}, "population": {}}
    samples = kept_cells(shards, cells=index.cells, reference=read_table(snakemake.input.reference))
    for sample, shard, positions in samples:
        pairs = labels[labels["sample"] == sample].groupby(["cluster", "population"])
        of_pairs = sum_groups(shard, positions=positions, labels=pairs.ngroup().to_numpy())
        names = pairs.size().reset_index()
        for column, of_samples in sums.items():
            merged = merge_groups(of_pairs, names.loc[of_pairs.groups.astype(int), column])
            of_samples[sample] = merged
    write_sums(snakemake.output.clusters, sums["cluster"], index)
    write_sums(snakemake.output.populations, sums["population"], index)
