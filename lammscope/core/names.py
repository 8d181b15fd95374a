"""Names and numbers that several rooms share."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ARMS = ("responder", "non_responder")
ARM_WORDS = {"responder": "responders", "non_responder": "non-responders"}
PHASES = ("pre", "post")  # before and after infusion
LEVELS = ("positive", "elevated")  # of LAMM calls
LAMM_LEVELS = ("LAMM_positive", "LAMM_elevated")  # their rows in tables of abundance
NONE, AUTO = "none", "auto"  # no integration; the method that the scores choose
UNASSIGNED = "unassigned"  # the population of cells without a type
NOT_IMMUNE = ("malignant", "platelet", "erythroid")  # lineages
ENSEMBL = r"ENS[A-Z]*G\d{6,}"  # id of a gene
PER = 10_000  # rates are UMI per 10,000, the usual scale (Seurat, CellTypist)
ALPHA = 0.05  # of intervals and verdicts
