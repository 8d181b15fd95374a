"""Droplets that hold a cell, and those that hold ambient RNA only, told apart by their counts."""
