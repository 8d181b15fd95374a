"""The integrated embedding of all cells: index, genes, components, integration and clusters."""
