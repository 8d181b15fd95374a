"""Count matrices as users have them, and what is known of each barcode: one sample at a time."""
