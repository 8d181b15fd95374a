"""The report, its figures, and the AnnData file of all cells."""
