"""Readers of count matrices, quality control and doublets, one sample or channel at a time."""
