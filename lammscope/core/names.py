"""Names and numbers that several subpackages use."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ARMS = ("responder", "non_responder")
ARM_WORDS = {"responder": "responders", "non_responder": "non-responders"}
PHASES = ("pre", "post")  # before and after infusion
LEVELS = ("positive", "macrophage_like")  # of LAMM calls
LAMM = "LAMM"  # a call at the configured level, and its row in tables
LAMM_LEVELS = ("LAMM_positive", "LAMM_macrophage_like")  # rows of both levels in abundance tables
LAMM_ROWS = (LAMM, *LAMM_LEVELS)  # they overlap with populations
PRIMARY_SCALE = "logit"  # of the primary result
LAMM_SCORE = "LAMM_score"  # row of the mean score of monocytic cells
NONE, AUTO = "none", "auto"  # no integration; the method chosen by integration scores
UNSTATED = "unstated"  # the compartment of samples without one in the sheet
UNASSIGNED = "unassigned"  # the population of cells without a type
UNKNOWN_CAR_T = "T_unknown_CAR"  # the population of T cells that may be CAR-T cells; not tested
NO_CAR_FEATURE = "unknown: no CAR feature"  # reading of a sample in annotation/car.tsv
NOT_IMMUNE = (  # lineages
    *("malignant", "platelet", "erythroid", "stromal", "endothelial", "epithelial"),
)
ENSEMBL = r"ENS[A-Z]*G\d{6,}"  # Ensembl id of a gene
NO_SYMBOLS = (
    "no sample has gene symbols, by which markers and gene sets are named: give at least one "
    "matrix with ids and symbols (a 10x .h5, a folder with features.tsv, or an .h5ad with the "
    "symbols in a column `gene_symbols` of `var`)"
)
FILE_COLUMNS = ("counts", "barcodes", "contigs")  # of the sample sheet: paths, never covariates
PROFILE = "ambient_profile"  # of genes of a sample: share of each in ambient RNA
ALL_BARCODES = "all barcodes"  # source of that profile, for want of barcodes without a cell
LOST_POPULATIONS = "lost_populations"  # item of the audit: too few cells for expression tests
DROP = "drop"  # of `qc.on_failed`: the cells of samples that fail are left out
PER = 10_000  # rates are UMIs per 10,000, as in Seurat and CellTypist
ALPHA = 0.05  # significance level of intervals and verdicts
POWER = 0.8  # of the difference that a row could have detected, and of plans
