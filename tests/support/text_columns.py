"""Columns of text of every library, and the memory that a row of a long column takes."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from support.laws import examples

import clear_alloc as ca

CURVES = ca.ShiftedSurge([100, 400, 6000, 50, 80], [80, 200, 900, 20, 30], [0.9, 0.8, 0.7, 0.5, 0.6])
few = examples(60)
ROWS = 200_000  # where memory is measured


def peak_of(work):
    """Bytes per row that Python and numpy hold at most while `work` is done, over what they held before."""
    work()
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / ROWS
    finally:
        tracemalloc.stop()


TEXTS = {
    "numpy": lambda x: np.array(x),
    "numpy bytes": lambda x: np.array(x).astype("S"),
    "numpy strings": lambda x: np.array(x, dtype=np.dtypes.StringDType()),
    "pyarrow": lambda x: pa.array(x),
    "pyarrow large": lambda x: pa.array(x, pa.large_string()),
    "pyarrow view": lambda x: pa.array(x, pa.string_view()),
    "pyarrow chunks": lambda x: pa.chunked_array([x[:2], x[2:]], type=pa.string()),
    "polars": lambda x: pl.Series(x),
    "pandas": lambda x: pd.Series(x, index=range(7, 7 + len(x))),
    "pandas arrow": lambda x: pd.Series(x, dtype=pd.ArrowDtype(pa.string())),
}
