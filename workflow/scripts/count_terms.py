"""Count the genes of ligand-receptor pairs in the groups of cells that send or receive."""

from snakemake.iocontainers import Snakemake

from lammscope.axis.groups import lineages_of, make_groups
from lammscope.axis.supply import sample_supply
from lammscope.axis.terms import count_terms, find_genes
from lammscope.cohort.pairs import all_genes, read_pairs, same_receptor
from lammscope.core.indexed import read_table, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.expression.models import plain_pseudobulks
from lammscope.expression.pseudobulk import read_pseudobulk

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    pairs = read_pairs(map(find_resource, params.pairs))
    counts = read_table(inputs.counts)
    groups = make_groups(params.groups, lineages_of(counts), level=params.level)
    genes = all_genes(pairs)
    libraries, terms = count_terms(
        plain_pseudobulks(read_pseudobulk(inputs.pseudobulk)),
        genes=genes,
        known=find_genes(inputs.sums, genes),
        groups=groups.populations,
    )
    write_table(libraries, output.libraries)
    write_table(terms, output.terms)
    chosen = same_receptor(pairs, params.pair)
    supply = sample_supply(chosen, groups, libraries, terms, counts, min_cells=params.min_cells)
    write_table(supply, output.supply)
