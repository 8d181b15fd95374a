"""Compare genes and gene sets between patients within each population."""
