"""The embedding of all cells together: index, genes, components, integration, clusters."""
