"""Names of genes in count matrices: ids, symbols, genomes, and rows that are no genes."""
