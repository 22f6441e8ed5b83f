"""Records of the families that know their lengths, which expected accounting needs."""

from __future__ import annotations

import numpy as np
from support import strategies

EXPECTED = {"accounting": "expected"}
DRAWS = 2000


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


def batch(n, seed):
    rng = np.random.default_rng(seed)
    return lognormals(1000 * np.exp(rng.normal(0, 0.8, n)), rng.uniform(0.2, 1.0, n), rng.uniform(0.2, 1, n))


def realised(records, caps, rng, draws=DRAWS):
    """Sums of min(length, cap), lengths drawn from the distributions themselves, (draws,)."""
    sums = np.zeros(draws)
    for record, cap in zip(records, caps.tolist(), strict=True):
        if cap:
            if record["family"] == strategies.LOGNORMAL:
                lengths = record["median"] * np.exp(record["spread"] * rng.standard_normal(draws))
            else:
                lengths = record["threshold"] + record["width"] * rng.exponential(size=(2, draws)).sum(axis=0)
            sums += np.minimum(lengths, cap)
    return sums
