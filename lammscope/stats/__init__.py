"""Methods of limma and edgeR in NumPy. This package imports no other part of lammscope."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
