"""Sum counts over clusters and populations, and estimate the populations' ambient RNA."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.ambient import add_overlapping, sum_ambient, write_ambient
from lammscope.annotate.sums import GroupSums, merge_groups, sum_groups, write_sums
from lammscope.core.ambient.table import read_fractions
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.lamm_rows import lamm_rows
from lammscope.core.names import LAMM_ROWS
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
        own = own.join(lamm_rows(own, **snakemake.params.lamm))
        parts = own.groupby(["cluster", "population", *LAMM_ROWS])
        of_parts = sum_groups(shard, positions=positions, labels=parts.ngroup().to_numpy())
        names = parts.size().reset_index().iloc[of_parts.groups.astype(int)]
        rows = {name: names[name].to_numpy() for name in snakemake.params.rows}
        populations = names["population"].to_numpy(dtype=str)
        sums["cluster"][sample] = merge_groups(of_parts, names["cluster"].to_numpy())
        sums["population"][sample] = merge_groups(of_parts, populations, overlapping=rows)
        place = {"positions": positions, "labels": own["population"].to_numpy()}
        estimated = sum_ambient(shard, **place, contamination=fractions[sample])
        ambient[sample] = add_overlapping(estimated, of_parts, populations, overlapping=rows)
    write_sums(snakemake.output.clusters, sums["cluster"], index)
    write_sums(snakemake.output.populations, sums["population"], index)
    write_ambient(snakemake.output.ambient, ambient, index)
