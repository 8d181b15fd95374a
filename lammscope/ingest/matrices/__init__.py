"""Readers of count matrices: a module per file format, each with its `READER`."""
