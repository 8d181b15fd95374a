"""Call LAMM cells within the monocytic lineage, and CAR-T cells, blind to response."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.calls import call_cells, neighbors_within_patients
from lammscope.annotate.lamm_settings import CallSettings, load_references
from lammscope.core.indexed import CellIndex
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import PanelCounts, stack_panel

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.threads) as logger:
    index = CellIndex(snakemake.input.cells)
    counts, symbols, has_car = stack_panel(snakemake.input.counts, index)
    types = index.read_table(snakemake.input.types).assign(patient=index.cells["patient"])
    neighbors = index.read_arrays(snakemake.input.neighbors)["indices"]
    own_neighbors = neighbors_within_patients(
        index.read_arrays(snakemake.input.space)["space"],
        cells=types,
        n_neighbors=neighbors.shape[1],
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
    )
    references = load_references(find_resource(snakemake.params.references))
    cells = call_cells(
        types,
        PanelCounts(counts, symbols, index.cells["total_counts"].to_numpy()),
        neighbors=neighbors,
        own_neighbors=own_neighbors,
        settings=CallSettings.from_config(snakemake.params.settings, references=references),
        has_car=has_car,
        before_infusion=snakemake.params.before_infusion,
        sorted_out=snakemake.params.sorted_out,
    )
    index.write_table(cells, snakemake.output.cells)
    logger.info("%s", cells["lamm_call"].value_counts().to_dict())
