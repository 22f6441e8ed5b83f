"""One query on the convex part of its curve, where no price would leave it.

In an optimum at most one query stands there (of two, one could take from the other and both directions can't lose).
It matters when a handful of queries share a budget too small for them; its worth falls like 1/n.
"""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.market.smooth_demand import SmoothDemand
from clear_alloc.solver.primal.solution import FundedSet
from clear_alloc.support.types import Bool

__all__ = ["MOST_QUERIES", "split_query", "split_query_bound"]

MOST_QUERIES = 256  # beyond this one query's convex part is worth too little to look for
_CLOSELY = 32  # up to here funded sets that lack it are tried too
_PRICES = 48  # prices per grid; the second grid lies between the best point's neighbours on the first


def split_query(
    market: Market, funded_set: FundedSet, known: float, budget: float, price: float
) -> tuple[int, float] | None:
    """The query and the cap that make most of a funded set if they are set free of the price.

    For each price the funded take what they want there, and one query, any, gets all that is left. None where that
    isn't worth more than `known`. O(n) times the grid of prices.
    """
    side = market.divisible
    if side is None or len(market) > MOST_QUERIES or price <= 0.0 or not len(side.convex):
        return None
    convex = side.convex
    finite = list(zip(market.demands, funded_set, strict=True))[1:]
    pool = budget - float(sum(demand.charge(levels).sum() for demand, levels in finite))
    funded, prices = funded_set[0] > 0, np.concatenate([[0.0], price * np.geomspace(0.02, 50.0, _PRICES - 1)])
    for _ in range(2):
        total, cap = _totals(side, funded, prices, pool)
        k, column = divmod(int(total[:, convex].argmax()), len(convex))
        prices = np.linspace(prices[max(k - 1, 0)], prices[min(k + 1, len(prices) - 1)], _PRICES)
    query = int(convex[column])
    worth = float(total[k, query] + sum(demand.value(levels).sum() for demand, levels in finite))
    return (query, float(cap[k, query])) if worth > known else None


def split_query_bound(market: Market) -> float:
    """What one query on its convex part may add to a set's own value; 0 where it isn't looked for closely."""
    side = market.divisible
    if side is None or len(market) > _CLOSELY:
        return 0.0
    return float((side.value(side.start) - side.floor_value).max())


def _totals(side: SmoothDemand, funded: Bool, prices: Array, pool: float) -> tuple[Array, Array]:
    """Utility if a query takes all that the others leave at a price, and its cap then; shape (prices, n)."""
    caps = np.where(funded, side.demand_if_funded(prices[:, None]), side.floor)
    values, charges = side.value(caps), side.charge(caps)
    left = pool - (charges.sum(axis=1, keepdims=True) - charges)
    cap = side.cap_within(left)
    total = values.sum(axis=1, keepdims=True) - values + side.value(cap)
    return np.where(left >= side.floor_charge, total, -np.inf), cap
