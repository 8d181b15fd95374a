"""LAMM cells within the monocytic lineage, and CAR-T cells; blind to response."""

from lammscope.annotate.calls import call_cells
from lammscope.annotate.lamm import load_references
from lammscope.core.indexed import CellIndex
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import stack_panel

with job_log(snakemake.log[0], threads=snakemake.params.threads) as logger:
    index = CellIndex(snakemake.input.cells)
    about = index.cells
    counts, symbols, has_car = stack_panel(snakemake.input.counts, index)
    types = index.read_table(snakemake.input.types)
    cells = call_cells(
        types.assign(patient=about["patient"]),
        counts,
        symbols=symbols,
        totals=about["total_counts"].to_numpy(),
        neighbors=index.read_arrays(snakemake.input.neighbors)["indices"],
        space=index.read_arrays(snakemake.input.space)["space"],
        has_car=has_car,
        references=load_references(find_resource(snakemake.params.references)),
        settings=snakemake.params.settings,
        before_infusion=snakemake.params.before_infusion,
        sorted_out=snakemake.params.sorted_out,
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
    )
    index.write_table(cells, snakemake.output.cells)
    logger.info("%s", cells["lamm_call"].value_counts().to_dict())
