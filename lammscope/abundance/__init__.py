"""Comparison of populations between patients: counts, fractions, tests and their robustness."""
