"""Linear models of limma and edgeR in NumPy. This subpackage imports no other."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
