"""Score the cells of some channels as doublets, each channel on its own."""

import numpy as np
from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import Failures, job_log
from lammscope.core.shards import read_shard
from lammscope.ingest.doublets import score_channel

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger, Failures() as failures:
    params = snakemake.params
    files = zip(snakemake.input.shards, snakemake.input.qc, strict=True)  # sample by sample
    for (channel, samples), path in zip(
        params.channels.items(), snakemake.output.doublets, strict=True
    ):
        own = [(sample, *next(files)) for sample in samples]
        with failures.of(channel):
            table = score_channel(
                ((sample, read_shard(shard), read_table(qc)) for sample, shard, qc in own),
                rng=np.random.default_rng(params.seed),
                **{k: v for k, v in params.settings[channel].items() if k != "remove"},
            )
            write_table(table, path)
            n_called = table["doublet"].sum()
            logger.info("%s: %d of %d cells are called doublets", channel, n_called, len(table))
