"""Compare the samples' barcodes, select those that are cells, and write the cell index."""

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import read_table, write_index, write_table
from lammscope.core.runtime import job_log
from lammscope.joint.cells import select_cells, summarize_lineages, summarize_qc
from lammscope.joint.shared_cells import check_samples
from lammscope.joint.verdicts import failed_samples

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger:
    samples, patients = snakemake.params.samples, snakemake.params.patients
    qc = dict(zip(samples, map(read_table, snakemake.input.qc), strict=True))
    shared = check_samples(qc, channels=dict(zip(samples, snakemake.params.channels, strict=True)))
    doublets = pd.concat(map(read_table, snakemake.input.doublets), ignore_index=True)
    doublets["doublet"] &= snakemake.params.remove_doublets
    dropped = failed_samples(read_table(path)) if (path := snakemake.input.verdicts) else []
    patient_of = dict(zip(samples, patients, strict=True))
    cells = select_cells(qc, doublets, patients=patient_of, dropped=dropped)
    write_index(cells, snakemake.output.cells)
    summary = summarize_qc(qc, cells, shared=shared, dropped=dropped)
    write_table(summary, snakemake.output.summary)
    write_table(summarize_lineages(qc, cells, dropped=dropped), snakemake.output.lineages)
    logger.info("%d cells of %d samples", len(cells), cells["sample"].nunique())
