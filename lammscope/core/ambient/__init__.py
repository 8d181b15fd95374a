"""Ambient RNA in cells: its share of a sample, of a population, and of the counts of a gene."""
