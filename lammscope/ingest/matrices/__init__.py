"""Readers of count matrices: each format is a module with `read_*` and `inspect_*`."""
