"""Droplets with a cell, and the ambient RNA in all droplets, estimated from counts alone."""
