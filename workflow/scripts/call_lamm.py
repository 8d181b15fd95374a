"""LAMM cells within the monocytic lineage, and CAR-T cells; blind to response."""

from lammscope.annotate.calls import call_cells, neighbors_within_patients
from lammscope.annotate.lamm_settings import CallSettings, load_references
from lammscope.core.indexed import read_arrays, read_cells, read_table, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import PanelCounts, stack_panel

with job_log(snakemake.log[0], threads=snakemake.params.threads) as logger:
    about, index = read_cells(snakemake.input.cells)
    counts, symbols, has_car = stack_panel(snakemake.input.counts, index=index)
    types = read_table(snakemake.input.types, index=index).assign(patient=about["patient"])
    neighbors = read_arrays(snakemake.input.neighbors, index=index)["indices"]
    own_neighbors = neighbors_within_patients(
        read_arrays(snakemake.input.space, index=index)["space"],
        cells=types,
        n_neighbors=neighbors.shape[1],
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
    )
    references = load_references(find_resource(snakemake.params.references))
    cells = call_cells(
        types,
        PanelCounts(counts, symbols, about["total_counts"].to_numpy()),
        neighbors=neighbors,
        own_neighbors=own_neighbors,
        settings=CallSettings.from_config(snakemake.params.settings, references=references),
        has_car=has_car,
        before_infusion=snakemake.params.before_infusion,
        sorted_out=snakemake.params.sorted_out,
    )
    write_table(cells, snakemake.output.cells, index=index)
    logger.info("%s", cells["lamm_call"].value_counts().to_dict())
