"""Arrays by what they hold: numbers, marks, positions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Bool", "Index"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]
