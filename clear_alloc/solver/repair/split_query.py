"""One query on the convex part of its curve, where no price would leave it.

In an optimum at most one query stands there (of two, one could take from the other and both directions can't lose).
It matters when a handful of queries share a budget too small for them; its worth falls like 1/n.
"""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.solver.primal.water_filling import FundedSet, Solution, refill_funded

__all__ = ["MOST_QUERIES", "split_query_bound", "with_split_query"]

MOST_QUERIES = 256  # beyond this one query's convex part is worth too little to look for
_CLOSELY = 32  # up to here plans that lack it are tried too
_PRICES = 48  # prices per grid; the second grid lies between the best point's neighbours on the first


def with_split_query(market: Market, plan: FundedSet, grant: Solution, budget: float, price: float) -> Solution:
    """The better of `grant` and the plan with one query's cap set free of the price.

    For each price the funded take what they want there, and one query, any, gets all that is left.
    O(n) times the grid of prices.
    """
    smooth = market.smooth
    convex = np.flatnonzero(
        (smooth.start > smooth.floor) & (smooth.curves.utility(smooth.start) > smooth.floor_value)
    )
    if not len(convex) or len(market) > MOST_QUERIES or price <= 0.0:
        return grant
    pool = budget - float(market.menus.charge_of(plan.chosen).sum())
    prices = np.concatenate([[0.0], price * np.geomspace(0.02, 50.0, _PRICES - 1)])
    for _ in range(2):
        total, left = _totals(market, plan, prices, pool)
        k, row = divmod(int(total[:, convex].argmax()), len(convex))
        prices = np.linspace(prices[max(k - 1, 0)], prices[min(k + 1, len(prices) - 1)], _PRICES)
    query = int(convex[row])
    if float(total[k, query] + market.menus.value_of(plan.chosen).sum()) <= grant.utility:
        return grant
    rival = refill_funded(market, plan, budget, price, (query, float(left[k, query])))
    return rival if rival is not None and rival.utility > grant.utility else grant


def split_query_bound(market: Market) -> float:
    """What one query on its convex part may add to a plan's own value; 0 where it isn't looked for closely."""
    smooth = market.smooth
    if not 0 < len(smooth) <= len(market) <= _CLOSELY:
        return 0.0
    return float((smooth.curves.utility(smooth.start) - smooth.floor_value).max())


def _totals(market: Market, plan: FundedSet, prices: Array, pool: float) -> tuple[Array, Array]:
    """Utility if a query takes all that the others leave at a price, and its cap then; shape (prices, n)."""
    smooth = market.smooth
    caps = np.where(plan.funded, smooth.demand_if_funded(prices[:, None]), smooth.floor)
    values, charges = smooth.curves.utility(caps), smooth.charge(caps)
    left = pool - (charges.sum(axis=1, keepdims=True) - charges)
    own = smooth.cap_within(left)
    total = values.sum(axis=1, keepdims=True) - values + smooth.curves.utility(own)
    return np.where(left >= smooth.floor_charge, total, -np.inf), own
