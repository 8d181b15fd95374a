"""Extract the counts of markers, gene sets and CAR features in some samples' kept cells."""

from itertools import chain

import numpy as np
from scipy import sparse
from snakemake.iocontainers import Snakemake

from lammscope.annotate.panel import load_panel, panel_symbols
from lammscope.annotate.signature import check_listed, load_state
from lammscope.core.gene_sets import read_signatures
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.gene_names import kept_cells
from lammscope.joint.panel_counts import panel_counts

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params = snakemake.params
    shards = dict(zip(params.samples, snakemake.input.shards, strict=True))
    index = CellIndex(snakemake.input.cells, samples=list(shards))
    sets = [read_signatures(map(find_resource, p)) for p in (params.signatures, params.programs)]
    panel = load_panel(find_resource(params.panel))
    state = load_state(find_resource(params.state_genes))
    symbols = [*panel_symbols(panel), *params.lamm_genes, *state.symbols]
    symbols += chain.from_iterable(chain.from_iterable(each.values() for each in sets))
    samples = kept_cells(shards, cells=index.cells, reference=read_table(snakemake.input.reference))
    options = {"symbols": list(dict.fromkeys(symbols)), "car_features": params.car_features}
    found = [panel_counts(shard, positions=rows, **options) for _, shard, rows in samples]
    counts, genes = zip(*found, strict=True)
    n_cells = np.array([part.shape[0] for part in counts])
    check_listed(state, genes=dict(zip(shards, genes, strict=True)), n_cells=n_cells)
    index.write_counts(
        snakemake.output.counts,
        sparse.vstack(counts, format="csr"),
        genes=genes[0],
        n_cells=n_cells,
        present=np.stack([table["present"] for table in genes]),
    )
