"""Annotation of cells: types, LAMM calls, CAR status, gene-set scores and markers."""
