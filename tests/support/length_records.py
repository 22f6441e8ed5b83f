"""Records of the families that know their lengths, which expected accounting needs."""

from __future__ import annotations

import numpy as np
from support import strategies


def lognormals(median, spread, solvability=0.8, weight=1.0):
    columns = np.broadcast_arrays(median, spread, solvability, weight)
    names = ("median", "spread", "solvability", "weight")
    rows = zip(*(c.ravel().tolist() for c in columns), strict=True)
    return [{"family": strategies.LOGNORMAL, **dict(zip(names, row, strict=True))} for row in rows]


def surges(threshold, width, solvability=0.8, weight=1.0):
    columns = np.broadcast_arrays(threshold, width, solvability, weight)
    names = ("threshold", "width", "solvability", "weight")
    rows = zip(*(c.ravel().tolist() for c in columns), strict=True)
    return [{"family": strategies.CUMULATIVE, **dict(zip(names, row, strict=True))} for row in rows]


def records_of(rng, n, scale=1000.0):
    """Queries of both families that know their lengths, in any order."""
    return [
        strategies.random_record(rng, str(rng.choice([strategies.LOGNORMAL, strategies.CUMULATIVE])), scale)
        for _ in range(n)
    ]
