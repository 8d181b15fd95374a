"""The report, its figures, and the file of all cells."""
