"""What LAMM cells may do to T and CAR-T cells: gene pairs, T-cell states and clones of patients."""
