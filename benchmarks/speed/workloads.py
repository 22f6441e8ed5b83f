"""The queries that are timed: heterogeneous, random, the same for everybody who asks for as many."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import clear_alloc as ca

Array = npt.NDArray[np.float64]
Columns = tuple[Array, ...]

SEED = 1
SHARE = 0.3  # of the tokens at which every query would break even
FUNDED = 1.5  # the same where a single query is to get something: 0.3 of it buys nothing
BLOCK = 100_000  # queries whose break-even is computed at once: the peak of memory is to be the allocator's

FAMILIES: dict[str, Any] = {
    "shifted_surge": ca.ShiftedSurge,
    "cumulative_surge": ca.CumulativeSurge,
    "lognormal": ca.LognormalArrival,
}
RANGES = {  # each column is uniform within its range: tokens, tokens, chance; tokens, natural log, chance
    "shifted_surge": ((0.0, 2000.0), (10.0, 500.0), (0.1, 1.0)),
    "cumulative_surge": ((0.0, 2000.0), (10.0, 500.0), (0.1, 1.0)),
    "lognormal": ((50.0, 2000.0), (0.05, 1.5), (0.1, 1.0)),
}


def columns(family: str, n: int, seed: int = SEED) -> Columns:
    """The parameters of n queries as raw arrays, in the order in which the family takes them."""
    rng = np.random.default_rng([seed, n])
    return tuple(rng.uniform(low, high, n) for low, high in RANGES[family])


def curves_of(family: str, given: Columns) -> ca.Curves:
    """New curves: old ones remember what they have computed."""
    made: ca.Curves = FAMILIES[family](*given)
    return made


def budget_of(family: str, given: Columns, share: float = SHARE) -> int:
    """A share of the tokens at which every query would break even."""
    starts = range(0, len(given[0]), BLOCK)
    parts = (FAMILIES[family](*(column[at : at + BLOCK] for column in given)) for at in starts)
    return int(share * sum(float(part.break_even.sum()) for part in parts))
