"""Annotation of cells: cell types, LAMM calls, CAR status, gene-set scores and markers."""
