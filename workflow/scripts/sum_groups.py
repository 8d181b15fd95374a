"""Sum counts over clusters and populations, and estimate the populations' ambient RNA."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.ambient import sum_ambient, write_ambient
from lammscope.annotate.sums import GroupSums, merge_groups, sum_groups, write_sums
from lammscope.core.ambient.table import read_fractions
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log
from lammscope.joint.gene_names import kept_cells

snakemake: Snakemake
with job_log(snakemake.log[0]):
    shards = dict(zip(snakemake.params.samples, snakemake.input.shards, strict=True))
    index = CellIndex(snakemake.input.index, samples=list(shards))
    labels = index.read_table(snakemake.input.cells)
    sums: dict[str, dict[str, GroupSums]] = {"cluster": {}, "population": {}}
    ambient = {}
    fractions = read_fractions(shards, snakemake.input.contamination)
    samples = kept_cells(shards, cells=index.cells, reference=read_table(snakemake.input.reference))
    for sample, shard, positions in samples:
        own = labels[labels["sample"] == sample]
        pairs = own.groupby(["cluster", "population"])
        of_pairs = sum_groups(shard, positions=positions, labels=pairs.ngroup().to_numpy())
        names = pairs.size().reset_index()
        for column, of_samples in sums.items():
            merged = merge_groups(of_pairs, names.loc[of_pairs.groups.astype(int), column])
            of_samples[sample] = merged
        ambient[sample] = sum_ambient(
            shard,
            positions=positions,
            labels=own["population"].to_numpy(),
            contamination=fractions[sample],
        )
    write_sums(snakemake.output.clusters, sums["cluster"], index)
    write_sums(snakemake.output.populations, sums["population"], index)
    write_ambient(snakemake.output.ambient, ambient, index)
