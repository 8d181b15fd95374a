"""Populations compared between patients: counts, fractions, tests, and how firm they are."""
