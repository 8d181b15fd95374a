"""Linear models as limma and edgeR fit them, in NumPy: this room imports no other."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
