"""One annotated file of all kept cells and all genes, written sample by sample."""

from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_arrays, read_cells, read_table
from lammscope.core.runtime import job_log, whole_file
from lammscope.joint.gene_names import kept_cells
from lammscope.report.cohort_h5ad import describe_cohort, write_cohort

with job_log(snakemake.log[0]):
    cells, index = read_cells(snakemake.input.index)
    reference = read_table(snakemake.input.reference)
    cohort = describe_cohort(
        cells,
        read_table(snakemake.input.cells, index=index),
        read_sample_table(snakemake.input.samples),
        reference=reference,
        variable=read_table(snakemake.input.genes)["gene"],
        spaces={
            "X_pca": read_arrays(snakemake.input.pca, index=index)["space"],
            "X_joint": read_arrays(snakemake.input.space, index=index)["space"],
            "X_umap": read_arrays(snakemake.input.umap, index=index)["umap"],
        },
    )
    paths = dict(zip(snakemake.params.samples, snakemake.input.shards, strict=True))
    with_cells = {sample: paths[sample] for sample in cells["sample"].unique()}
    samples = kept_cells(with_cells, cells=cells, reference=reference)
    shards = ((shard, positions) for _, shard, positions in samples)
    with whole_file(snakemake.output.cohort) as temporary:
        write_cohort(cohort, shards, temporary, log_normalised=snakemake.params.log_normalised)
