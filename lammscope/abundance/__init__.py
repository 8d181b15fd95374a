"""Compare cell populations between patients: counts, fractions, tests and their robustness."""
