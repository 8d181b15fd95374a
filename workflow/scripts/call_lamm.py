"""Call LAMM cells within the monocytic lineage, and CAR-T cells, blind to response."""

from functools import partial

from snakemake.iocontainers import Snakemake

from lammscope.annotate.calls import call_cells, lineage_neighbors
from lammscope.annotate.car import call_car
from lammscope.annotate.lamm_settings import CallSettings
from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import read_panel

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.search["threads"]):
    params, index = snakemake.params, CellIndex(snakemake.input.cells)
    panel, has_car = read_panel(snakemake.input.counts, index)
    types = index.read_table(snakemake.input.types)
    types["patient"], types["group"] = index.cells["patient"], types["sample"].map(params.batches)
    arrays = {name: index.read_arrays(snakemake.input[name]) for name in ("space", "neighbors")}
    near = partial(lineage_neighbors, arrays["space"]["space"], cells=types, **params.search)
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
        neighbors=arrays["neighbors"]["indices"],
        settings=CallSettings.read(params.settings, **params.files),
        car=car,
        own_neighbors=near(lineage="monocytic", within="patient"),
        sample_neighbors=near(lineage="monocytic", within="sample"),
    )
    index.write_table(cells, snakemake.output.cells)
