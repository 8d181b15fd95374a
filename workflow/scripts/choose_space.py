"""Take the joint space that `integration.method: auto` chose."""

from lammscope.core.indexed import read_arrays, read_cells, read_table, write_arrays
from lammscope.core.runtime import job_log

with job_log(snakemake.log[0]) as logger:
    _, index = read_cells(snakemake.input.cells)
    scores = read_table(snakemake.input.scores).set_index("method")
    used = scores.index[scores["used"]][0]
    spaces = dict(zip(snakemake.params.methods, snakemake.input.spaces, strict=True))
    space = read_arrays(spaces[used], index=index)["space"]
    write_arrays(snakemake.output.space, index=index, space=space)
    logger.info("%s is the joint space", used)
