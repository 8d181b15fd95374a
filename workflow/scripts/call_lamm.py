"""LAMM cells within the monocytic lineage, and CAR-T cells; blind to response."""

from lammscope.annotate.calls import call_cells
from lammscope.annotate.lamm import load_references
from lammscope.core.indexed import read_arrays, read_cells, read_table, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import stack_panel

with job_log(snakemake.log[0], threads=snakemake.params.threads) as logger:
    about, index = read_cells(snakemake.input.cells)
    counts, symbols, has_car = stack_panel(snakemake.input.counts, index=index)
    types = read_table(snakemake.input.types, index=index)
    cells = call_cells(
        types.assign(patient=about["patient"]),
        counts,
        symbols=symbols,
        totals=about["total_counts"].to_numpy(),
        neighbors=read_arrays(snakemake.input.neighbors, index=index)["indices"],
        space=read_arrays(snakemake.input.space, index=index)["space"],
        has_car=has_car,
        references=load_references(find_resource(snakemake.params.references)),
        settings=snakemake.params.settings,
        before_infusion=snakemake.params.before_infusion,
        sorted_out=snakemake.params.sorted_out,
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
    )
    write_table(cells, snakemake.output.cells, index=index)
    logger.info("%s", cells["lamm_call"].value_counts().to_dict())
