"""LAMMscope: the analysis steps of the workflow as plain functions, independent of Snakemake."""

__version__ = "0.1.0"
