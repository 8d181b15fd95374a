"""One annotated object of all kept cells."""

from lammscope.assembly import assemble_cohort
from lammscope.runtime import job_log, whole_file
from lammscope.sheets import read_samples
from lammscope.sidecars import read_arrays, read_cells, read_table, stack_counts

with job_log(snakemake.log[0]):
    cells, index = read_cells(snakemake.input.index)
    cohort = assemble_cohort(
        cells,
        read_table(snakemake.input.cells, index=index),
        read_samples(snakemake.params.cohort),
        counts=[
            stack_counts(paths, index=index)[:2]
            for paths in (snakemake.input.counts, snakemake.input.panel)
        ],
        spaces={
            "X_pca": read_arrays(snakemake.input.pca, index=index)["space"],
            "X_joint": read_arrays(snakemake.input.space, index=index)["space"],
            "X_umap": read_arrays(snakemake.input.umap, index=index)["umap"],
        },
    )
    with whole_file(snakemake.output.cohort) as temporary:
        cohort.write_h5ad(temporary, compression="lzf")
