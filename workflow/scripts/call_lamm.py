"""LAMM cells within the monocytic lineage, and CAR-T cells; blind to response."""

import numpy as np

from lammscope.lamm import apply_car, call_car, call_lamm, load_references, name_population
from lammscope.runtime import job_log
from lammscope.sidecars import read_arrays, read_cells, read_table, stack_counts, write_table

with job_log(snakemake.log[0]) as logger:
    index_cells, index = read_cells(snakemake.input.cells)
    counts, genes, arrays = stack_counts(snakemake.input.counts, index=index)
    cells = read_table(snakemake.input.types, index=index)
    symbols = genes["symbol"].tolist()
    called = call_lamm(
        counts,
        totals=index_cells["total_counts"].to_numpy(),
        symbols=symbols,
        neighbors=read_arrays(snakemake.input.neighbors, index=index)["indices"],
        lineage=cells["lineage"].to_numpy(),
        cell_type=cells["cell_type"].to_numpy(),
        samples=cells["sample"].to_numpy(),
        references=load_references(snakemake.input.references),
        **{key: value for key, value in snakemake.params.settings.items() if key != "references"},
    )
    has_car = np.repeat(arrays["present"][:, symbols.index("CAR")], arrays["n_cells"])
    lineage = cells["lineage"].to_numpy()
    car = call_car(
        counts, symbols=symbols, car_symbols=["CAR"], lineage=lineage, has_feature=has_car
    )
    cells = cells.assign(**called, car=car, patient=index_cells["patient"])
    cells["cell_type"] = apply_car(cells["cell_type"].to_numpy(), car=car)
    cells["population"] = name_population(
        cells["cell_type"].to_numpy(), lamm_call=cells["lamm_call"]
    )
    write_table(cells, snakemake.output.cells, index=index)
    logger.info("%s", cells["lamm_call"].value_counts().to_dict())
