"""Cohorts with a known truth: patients, populations, droplets and matrices."""
