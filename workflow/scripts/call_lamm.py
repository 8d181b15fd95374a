"""Call LAMM cells within the monocytic lineage, and CAR-T cells, blind to response."""

from functools import partial

from snakemake.iocontainers import Snakemake

from lammscope.annotate.calls import call_cells, lineage_neighbors
from lammscope.annotate.car import call_car
from lammscope.annotate.lamm import MONOCYTIC
from lammscope.annotate.lamm_settings import CallSettings
from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import read_panel

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.threads) as logger:
    params, index = snakemake.params, CellIndex(snakemake.input.cells)
    panel, has_car = read_panel(snakemake.input.counts, index)
    types = index.read_table(snakemake.input.types).assign(patient=index.cells["patient"])
    types["group"] = types["sample"].map(params.batches)
    space = index.read_arrays(snakemake.input.space)["space"]
    neighbors = index.read_arrays(snakemake.input.neighbors)["indices"]
    search = {"n_neighbors": neighbors.shape[1], "seed": params.seed, "threads": params.threads}
    near = partial(lineage_neighbors, space, cells=types, **search)
    car = call_car(
        panel,
        cells=types,
        neighbors=near(lineage="T", within="sample"),
        has_feature=has_car,
        before_infusion=types["sample"].isin(params.before_infusion),
        sorted_out=types["sample"].isin(params.car_sorted),
        probability=params.car_probability,
    )
    cells = call_cells(
        types,
        panel,
        neighbors=neighbors,
        own_neighbors=near(lineage=MONOCYTIC, within="patient"),
        sample_neighbors=near(lineage=MONOCYTIC, within="sample"),
        settings=CallSettings.read(params.settings, **params.files),
        car=car,
    )
    index.write_table(cells, snakemake.output.cells)
    logger.info("%s", cells["lamm_call"].value_counts().to_dict())
