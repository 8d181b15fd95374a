"""Genes and gene sets compared between patients, within each population."""
