"""Functions and constants that all other subpackages use: files, job log, words and numbers."""
