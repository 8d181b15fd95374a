"""What each cell is: cell types, LAMM calls, CAR status, gene-set scores and markers."""
