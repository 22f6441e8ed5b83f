"""Upper concave envelopes of finite option lists, all queries at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.support.types import Array, Index

__all__ = ["Steps", "envelope"]


class Steps(NamedTuple):
    """The edges of every query's envelope, as flat columns of shape (edges,); slopes fall along each query."""

    owner: Index
    option: Index
    cost: Array
    gain: Array

    @property
    def price(self) -> Array:
        """Slope of the edge, value/token: the price at which the query moves along it."""
        return self.gain / self.cost


def envelope(costs: Array, values: Array, start_cost: Array, start_value: Array) -> Steps:
    """Edges from (start_cost, start_value) up to the best option of each query.

    costs, values : shape (n, k); absent options have cost inf. Options in order of cost.
    O(n k edges) with one pass over the queries per edge.
    """
    rows = np.arange(len(costs))
    cost, value = start_cost.copy(), start_value.copy()
    found: list[Steps] = []
    while len(rows):
        run, rise = costs[rows] - cost[rows, None], values[rows] - value[rows, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where((run > 0) & (rise > 0) & np.isfinite(run), rise / run, -1.0)
        best = slope.argmax(axis=1)  # the first of equal slopes: collinear options stay reachable
        line = np.arange(len(rows))
        rising = slope[line, best] > 0
        line, best, rows = line[rising], best[rising], rows[rising]
        found.append(Steps(rows, best, run[line, best], rise[line, best]))
        cost[rows], value[rows] = costs[rows, best], values[rows, best]
    if not found:
        none = np.empty(0, dtype=np.intp)
        return Steps(none, none, np.empty(0), np.empty(0))
    return Steps(*(np.concatenate(column) for column in zip(*found, strict=True)))
