"""Simulated cohorts with a known truth: patients, populations, droplets and count matrices."""
