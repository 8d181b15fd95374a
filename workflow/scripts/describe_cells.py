"""Describe the evidence for the calls: genes per cluster, calls and CAR status per sample."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.car import count_car
from lammscope.annotate.evidence import count_calls, describe_clusters
from lammscope.annotate.levels import levels_by_group
from lammscope.annotate.signature import list_genes, load_state
from lammscope.core.indexed import CellIndex, read_table, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import read_panel

snakemake: Snakemake
with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.index)
    panel, has_car = read_panel(snakemake.input.counts, index)
    counts, symbols = panel.matrix, panel.symbols
    cells = index.read_table(snakemake.input.cells)
    cluster_levels, population_levels = (
        levels_by_group(counts, totals=panel.totals, groups=cells[name], genes=symbols)
        for name in ("cluster", "population")
    )
    params, samples = snakemake.params, snakemake.params.phases
    clusters = read_table(snakemake.input.types).astype({"cluster": str})
    clusters = describe_clusters(clusters, cells=cells, levels=cluster_levels, genes=params.genes)
    calls = count_calls(
        cells, samples=list(samples), reasons=params.vetoes, probability=params.probability
    )
    has_feature = dict.fromkeys(samples, False)
    has_feature |= dict(zip(cells["sample"], has_car, strict=True))
    car = count_car(counts, symbols=symbols, cells=cells, samples=samples, has_feature=has_feature)
    state = load_state(find_resource(params.state_genes))
    write_table(list_genes(state, panel), snakemake.output.signature)
    write_table(clusters, snakemake.output.clusters)
    write_table(cluster_levels.rename(columns={"group": "cluster"}), snakemake.output.genes)
    write_table(population_levels, snakemake.output.populations)
    write_table(calls, snakemake.output.calls)
    write_table(car, snakemake.output.car)
