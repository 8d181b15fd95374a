"""The integrated embedding of all cells: cell index, genes, components, integration, clusters."""
