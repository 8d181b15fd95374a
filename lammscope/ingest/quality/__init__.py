"""Quality control of the barcodes of a sample: metrics, limits, and what they leave."""
