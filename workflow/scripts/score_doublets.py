"""Score the cells of one channel as doublets."""

import numpy as np
from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.core.shards import read_shard
from lammscope.ingest.doublets import score_channel

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger:
    settings = {k: v for k, v in snakemake.params.settings.items() if k != "remove"}
    shards, qc = map(read_shard, snakemake.input.shards), map(read_table, snakemake.input.qc)
    table = score_channel(
        zip(snakemake.params.samples, shards, qc, strict=True),
        rng=np.random.default_rng(snakemake.params.seed),
        **settings,
    )
    write_table(table, snakemake.output.doublets)
    logger.info("%d of %d cells are called doublets", table["doublet"].sum(), len(table))
