"""Reading of count matrices and quality control of their barcodes, one sample at a time."""
