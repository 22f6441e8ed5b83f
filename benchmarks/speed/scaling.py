"""How the time grows with the number of queries: n to which power."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from benchmarks.speed.rows import Case, Row
from benchmarks.speed.timing import exponent, slopes

LARGE = 10_000  # queries: from here on, what a call costs whatever its size no longer counts


class Growth(NamedTuple):
    """case : one of the series. exponent : from size `first` to `last`; low, high : between neighbours."""

    case: Case
    first: int
    last: int
    exponent: float
    low: float
    high: float


def series_of(rows: Iterable[Row]) -> dict[object, list[Row]]:
    """Rows that were timed, by what they have in common but the size, smallest first."""
    found: dict[object, list[Row]] = {}
    for row in sorted((row for row in rows if row.ours), key=lambda row: row.n):
        found.setdefault(row.series, []).append(row)
    return found


def growth(rows: Iterable[Row]) -> list[Growth]:
    """Of each series that has two large sizes."""
    found = []
    for series in series_of(rows).values():
        large = [row for row in series if row.n >= LARGE]
        if len(large) < 2:
            continue
        sizes, seconds = [row.n for row in large], [float(np.median(row.ours)) for row in large]
        steps = slopes(sizes, seconds)
        found.append(Growth(large[0], sizes[0], sizes[-1], exponent(sizes, seconds), min(steps), max(steps)))
    return found
