"""Call LAMM cells within the monocytic lineage, and CAR-T cells, blind to response."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.calls import call_cells, neighbors_within_patients
from lammscope.annotate.car import call_car, t_cell_neighbors
from lammscope.annotate.lamm_settings import CallSettings, load_references
from lammscope.core.indexed import CellIndex
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import PanelCounts, stack_panel

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.threads) as logger:
    params, index = snakemake.params, CellIndex(snakemake.input.cells)
    counts, symbols, has_car = stack_panel(snakemake.input.counts, index)
    panel = PanelCounts(counts, symbols, index.cells["total_counts"].to_numpy())
    types = index.read_table(snakemake.input.types).assign(patient=index.cells["patient"])
    space = index.read_arrays(snakemake.input.space)["space"]
    neighbors = index.read_arrays(snakemake.input.neighbors)["indices"]
    search = {"n_neighbors": neighbors.shape[1], "seed": params.seed, "threads": params.threads}
    car = call_car(
        panel,
        cells=types,
        neighbors=t_cell_neighbors(space, cells=types, **search),
        has_feature=has_car,
        before_infusion=types["sample"].isin(params.before_infusion),
        sorted_out=types["sample"].isin(params.car_sorted),
        probability=params.car_probability,
    )
    references = load_references(find_resource(params.references))
    cells = call_cells(
        types,
        panel,
        neighbors=neighbors,
        own_neighbors=neighbors_within_patients(space, cells=types, **search),
        settings=CallSettings.from_config(params.settings, references=references),
        car=car,
    )
    index.write_table(cells, snakemake.output.cells)
    logger.info("%s", cells["lamm_call"].value_counts().to_dict())
