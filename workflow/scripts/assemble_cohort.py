"""Write all kept cells and all genes to one AnnData file, sample by sample."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.sample_table import read_with_follow_up
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.runtime import job_log, whole_file
from lammscope.joint.gene_names import kept_cells
from lammscope.report.ambient_counts import read_correction
from lammscope.report.cellxgene import add_schema_terms, read_cell_ontology
from lammscope.report.cohort_h5ad import describe_cohort, write_cohort

snakemake: Snakemake
with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.index)
    reference = read_table(snakemake.input.reference)
    scores = read_table(snakemake.input.scores).set_index("method")
    in_use = snakemake.params.obsm[scores.index[scores["used"]][0]]
    cohort = describe_cohort(
        index.cells,
        index.read_table(snakemake.input.cells),
        read_with_follow_up(*snakemake.input.sheets),
        reference=reference,
        variable=read_table(snakemake.input.genes)["gene"],
        spaces={
            "X_pca": index.read_arrays(snakemake.input.pca)["space"],
            in_use: index.read_arrays(snakemake.input.space)["space"],
            "X_umap": index.read_arrays(snakemake.input.umap)["umap"],
        },
        in_use=in_use,
    )
    add_schema_terms(cohort, cell_types=read_cell_ontology(), title=snakemake.params.title)
    paths = dict(zip(snakemake.params.samples, snakemake.input.shards, strict=True))
    with_cells = {sample: paths[sample] for sample in index.cells["sample"].unique()}
    samples = kept_cells(with_cells, cells=index.cells, reference=reference)
    shards = ((shard, positions) for _, shard, positions in samples)
    settings = {"log_normalised": snakemake.params.log_normalised}
    settings["correction"] = read_correction(snakemake.input.pseudobulk, genes=cohort.var_names)
    with whole_file(snakemake.output.cohort) as temporary:
        write_cohort(cohort, shards, temporary, **settings)
