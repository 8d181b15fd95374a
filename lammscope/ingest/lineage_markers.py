"""Marker genes of lineages: of a single barcode (`MARKERS`) and of a cluster (`LINEAGES`).

The two lists answer different questions. A barcode has few UMIs, so all markers of a lineage are
summed and compared with one level; lineages are told apart that differ in RNA, such as monocytes,
macrophages and neutrophils, since limits of quality control are taken within them. A cluster has
the rate of each gene, and its lineage must be right rather than fine: lineages between which single
cells lie are one, and each of them has alternative sets (T or NK cells).
"""

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

# Floors of quality control are lowered to this share for lineages with little RNA; our choice.
LITTLE_RNA = {"neutrophil": 0.4, "platelet": 0.4}

# Markers and their typical rates (UMIs per 10,000) in cells of the lineage: those of
# `resources/markers/immune_blood_tumour.yaml`, which names their sources; the rates of dendritic
# cells (the third set of the myeloid lineage), of progenitors and of the last three lineages are
# estimates. Of several sets the one with the highest activity counts. T and NK cells share a
# lineage, and so do B and plasma cells: many single cells lie between them.
LINEAGES: dict[str, tuple[dict[str, float], ...]] = {
    "T or NK": (
        {"CD3D": 10, "CD3E": 10, "CD3G": 3, "TRAC": 3, "TRBC1": 3, "CD2": 3},
        {"NKG7": 60, "GNLY": 100, "KLRD1": 4.5, "KLRF1": 5, "PRF1": 10},
    ),
    "B": (
        {"CD79A": 25, "CD79B": 18, "MS4A1": 9, "BANK1": 2.5, "CD22": 1.5, "CD19": 1.5},
        {"MZB1": 10, "DERL3": 4, "TNFRSF17": 2, "JCHAIN": 20},
    ),
    "myeloid": (
        {"LYZ": 40, "S100A8": 150, "S100A9": 60, "CD14": 9, "FCN1": 18, "VCAN": 8, "MNDA": 3},
        {"LYZ": 40, "CST3": 40, "AIF1": 15, "MS4A7": 8, "SPI1": 6, "CSF1R": 1.5},
        # plasmacytoid dendritic cells have JCHAIN and MZB1, too
        {
            "LILRA4": 5,
            "CLEC4C": 2,
            "IL3RA": 5,
            "IRF7": 10,
            "IRF8": 10,
            "PLD4": 10,
            "TCF4": 10,
            "UGCG": 5,
        },
    ),
    "progenitor": (
        {
            "SPINK2": 5,
            "CD34": 3,
            "MPO": 10,
            "AZU1": 5,
            "PRTN3": 5,
            "ELANE": 5,
            "KIT": 2,
            "CYTL1": 3,
        },
    ),
    "epithelial": ({"EPCAM": 3, "KRT8": 5, "KRT18": 5, "KRT19": 5},),
    "endothelial": ({"PECAM1": 3, "VWF": 5, "CLDN5": 3, "CDH5": 2},),
    "stromal": ({"COL1A1": 20, "COL1A2": 15, "COL3A1": 20, "DCN": 10, "LUM": 8},),
}
CONTINUOUS = ("progenitor",)  # pass into other lineages, so that single cells look like mixtures
