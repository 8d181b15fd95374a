"""Take the marker panel, LAMM genes, signatures and CAR of one sample's kept cells."""

from lammscope.genes import panel_counts
from lammscope.identifiers import rename_genes
from lammscope.panel import load_panel, panel_symbols
from lammscope.runtime import job_log
from lammscope.shards import read_shard
from lammscope.sidecars import read_cells, read_table, write_counts
from lammscope.signatures import read_signatures

with job_log(snakemake.log[0]):
    cells, index = read_cells(snakemake.input.cells, sample=snakemake.wildcards.sample)
    symbols = [
        *panel_symbols(load_panel(snakemake.input.panel)),
        *snakemake.params.lamm_genes,
        *(gene for genes in read_signatures(snakemake.input.signatures).values() for gene in genes),
    ]
    counts, genes = panel_counts(
        rename_genes(read_shard(snakemake.input.shard), read_table(snakemake.input.reference)),
        positions=cells["position"].to_numpy(),
        symbols=list(dict.fromkeys(symbols)),
        car_features=snakemake.params.car_features,
    )
    present = genes["present"].to_numpy()
    write_counts(snakemake.output.counts, counts, genes=genes, index=index, present=present)
