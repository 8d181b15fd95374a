"""Take the embedding that `integration.method: auto` chose."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger:
    index = CellIndex(snakemake.input.cells)
    scores = read_table(snakemake.input.scores).set_index("method")
    used = scores.index[scores["used"]][0]
    spaces = dict(zip(snakemake.params.methods, snakemake.input.spaces, strict=True))
    space = index.read_arrays(spaces[used])["space"]
    index.write_arrays(snakemake.output.space, space=space)
    logger.info("%s is the embedding in use", used)
