"""A quick look at the lineage of barcodes, so that limits spare lineages with much or little RNA.

The lineage is that of the markers that a barcode expresses most, relative to their usual level. It
steers quality control only; cells are annotated later, from clusters and the marker panel.
"""

import numpy as np

from lammscope.core.names import PER
from lammscope.core.shards import Shard

OTHER = "other"  # no lineage below

# Neutrophils and monocytes share these; what else they express decides between the two.
CALPROTECTIN = "S100A8 S100A9 S100A12"

# Markers of a lineage, and the UMIs per 10,000 of all of them together in a typical cell: an order
# of magnitude from bead-purified blood (Zheng 2017, doi 10.1038/ncomms14049), blood and marrow of
# CAR-T patients (Anderson 2023) and tumors (Wu 2021, doi 10.1038/s41588-021-00911-1). Neutrophils
# and platelets: Combes 2021, doi 10.1038/s41586-021-03234-7.
MARKERS: dict[str, tuple[float, str]] = {
    "T_NK": (40, "CD3D CD3E CD3G TRAC TRBC1 CD2 NKG7 GNLY KLRD1"),
    "B": (40, "CD79A CD79B MS4A1 CD19 VPREB1 VPREB3"),
    "plasma": (60, "MZB1 JCHAIN DERL3 TNFRSF17"),
    "monocyte_DC": (360, f"LYZ FCN1 VCAN CD14 FCER1A CLEC9A {CALPROTECTIN}"),
    "macrophage": (100, "C1QA C1QB C1QC APOE MRC1 SPP1"),
    "neutrophil": (300, f"FCGR3B CSF3R CXCR2 CXCR1 G0S2 CMTM2 ALPL {CALPROTECTIN}"),
    "platelet": (60, "PPBP PF4 TUBB1 GNG11 GP9"),
    "erythroid": (300, "HBB HBA1 HBA2 HBD CA1 AHSP"),
    "progenitor": (40, "SPINK2 CD34 MPO AZU1 ELANE PRTN3"),
    "mast": (40, "TPSAB1 TPSB2 CPA3"),
    "endothelial": (40, "VWF CLDN5 PECAM1 PLVAP RAMP2"),
    "stromal": (100, "COL1A1 COL1A2 COL3A1 DCN LUM ACTA2 TAGLN"),
    "epithelial": (60, "EPCAM KRT8 KRT18 KRT19 KRT5 CLDN4"),
}

MIN_UMIS = 2  # of a lineage's markers; our choice
MIN_LEVEL = 0.25  # of their usual level: less may be ambient RNA; our choice


def quick_lineages(shard: Shard) -> np.ndarray:
    """Return the likely lineage of each barcode, `other` where no markers stand out.

    Returns
    -------
    ndarray of str
        A key of `MARKERS` or `other`, shape (barcodes,). All `other` for a matrix without symbols.
    """
    symbols = shard.genes["symbol"].str.upper()
    totals = np.maximum(np.asarray(shard.counts.sum(axis=1)).ravel(), 1)
    names = np.array([*MARKERS, OTHER])
    scores = np.full((len(totals), len(names)), 0.0)
    scores[:, -1] = MIN_LEVEL
    for column, (level, markers) in enumerate(MARKERS.values()):
        chosen = np.flatnonzero(symbols.isin(markers.split()))
        seen = np.asarray(shard.counts[:, chosen].sum(axis=1)).ravel()
        scores[:, column] = np.where(seen >= MIN_UMIS, PER * seen / totals / level, 0.0)
    return names[np.argmax(scores, axis=1)]
