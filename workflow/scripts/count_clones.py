"""Find the clones of T cells, and measure and follow them within patients."""

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.axis.clone_doublets import count_doublets
from lammscope.axis.clone_tracking import track_clones
from lammscope.axis.clones import COLUMNS, assign_clones, measure_clones, measures_table
from lammscope.axis.contigs import match_contigs, passing_cells, read_contigs
from lammscope.core.indexed import CellIndex, read_table, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger:
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    samples = pd.DataFrame(params.samples)
    names = samples["sample"].tolist()
    index = CellIndex(inputs.index)
    annotated = index.read_table(inputs.cells, columns=["cell", "lineage", "population", "car"])
    tables = (read_table(path, columns=["barcode", "passes"]) for path in inputs.qc)
    doublets = pd.concat(map(read_table, inputs.doublets), ignore_index=True)
    qc = dict(zip(names, tables, strict=True))
    cells = passing_cells(qc, index.cells, annotated, doublets=doublets)
    contigs = dict(zip(names, map(read_contigs, inputs.contigs), strict=True))
    files = dict(zip(names, inputs.contigs, strict=True))
    chains, matched = match_contigs(contigs, cells, files=files)
    for sample, note in matched.loc[matched["note"] != "", ["sample", "note"]].to_numpy():
        logger.warning("%s: contigs of sample `%s`: %s", files[sample], sample, note)
    clones = assign_clones(chains, cells, patients=dict(samples[["sample", "patient"]].to_numpy()))
    write_table(matched, output.contigs)
    write_table(count_doublets(clones), output.doublets)
    clones = clones[clones["kept"]].sort_values("cell")
    index.write_table(clones[COLUMNS], output.cells)
    table = measure_clones(clones, cells[cells["sample"].isin(names)])
    write_table(table, output.clones)
    write_table(measures_table(table), output.measures)
    write_table(track_clones(clones, samples), output.tracking)
