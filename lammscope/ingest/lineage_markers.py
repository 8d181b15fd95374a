"""Marker genes of lineages: of a single barcode (`MARKERS`) and of a cluster (`LINEAGES`).

The two lists answer different questions. A barcode has few UMIs, so all markers of a lineage are
summed and compared with one level; lineages are told apart that differ in RNA, such as monocytes,
macrophages and neutrophils, since limits of quality control are taken within them. A cluster has
the rate of each gene, and its lineage must be right rather than fine: lineages between which single
cells lie are one, and each of them has alternative sets (T or NK cells).
"""

import pandas as pd

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

# Ensembl ids of all markers above, without their common beginning, for matrices without symbols
_ENSEMBL = "ENSG00000"
_IDS = """
    ACTA2=107796 AHSP=169877 AIF1=204472 ALPL=162551 APOE=130203 AZU1=172232 BANK1=153064
    C1QA=173372 C1QB=173369 C1QC=159189 CA1=133742 CD14=170458 CD19=177455 CD2=116824
    CD22=012124 CD34=174059 CD3D=167286 CD3E=198851 CD3G=160654 CD79A=105369 CD79B=007312
    CDH5=179776 CLDN4=189143 CLDN5=184113 CLEC4C=198178 CLEC9A=197992 CMTM2=140932 COL1A1=108821
    COL1A2=164692 COL3A1=168542 CPA3=163751 CSF1R=182578 CSF3R=119535 CST3=101439 CXCR1=163464
    CXCR2=180871 CYTL1=170891 DCN=011465 DERL3=099958 ELANE=197561 EPCAM=119888 FCER1A=179639
    FCGR3B=162747 FCN1=085265 G0S2=123689 GNG11=127920 GNLY=115523 GP9=169704 HBA1=206172
    HBA2=188536 HBB=244734 HBD=223609 IL3RA=185291 IRF7=185507 IRF8=140968 JCHAIN=132465
    KIT=157404 KLRD1=134539 KLRF1=150045 KRT18=111057 KRT19=171345 KRT5=186081 KRT8=170421
    LILRA4=239961 LUM=139329 LYZ=090382 MNDA=163563 MPO=005381 MRC1=260314 MS4A1=156738
    MS4A7=166927 MZB1=170476 NKG7=105374 PECAM1=261371 PF4=163737 PLD4=166428 PLVAP=130300
    PPBP=163736 PRF1=180644 PRTN3=196415 RAMP2=131477 S100A12=163221 S100A8=143546 S100A9=163220
    SPI1=066336 SPINK2=128040 SPP1=118785 TAGLN=149591 TCF4=196628 TNFRSF17=048462 TPSAB1=172236
    TPSB2=197253 TRAC=277734 TRBC1=211751 TUBB1=101162 UGCG=148154 VCAN=038427 VPREB1=169575
    VPREB3=128218 VWF=110799
"""
SYMBOL_OF_ID = {
    f"{_ENSEMBL}{number}": name for name, number in (x.split("=") for x in _IDS.split())
}


def marker_symbols(genes: pd.DataFrame) -> pd.Series:
    """Return the symbols of genes in upper case; those of markers also by Ensembl id.

    Parameters
    ----------
    genes
        `gene` (Ensembl id without version, or symbol) and `symbol`.
    """
    symbols = genes["symbol"].astype(str).str.upper()
    return genes["gene"].map(SYMBOL_OF_ID).fillna(symbols)
