"""A least share of funded queries per group: floors for those who lose least by being funded."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.errors import InvalidArgument
from clear_alloc.groups.tree import Tree
from clear_alloc.market.market import Market
from clear_alloc.solver.primal.water_filling import Solution

__all__ = ["with_shares_funded"]


def with_shares_funded(market: Market, tree: Tree, prices: Array, grant: Solution) -> Market:
    """The market itself if every group has its share funded; else with floors for as many queries as need one.

    prices : (nodes,), at which the queries buy. Funded means a cap on the branch where tokens are worth their price,
    not a token for form's sake. Who is funded: those with the highest surplus, be it negative. O(n log n).
    """
    needed = np.ceil(tree.min_funded * tree.summed(np.ones(len(market))) - 1e-9)
    if not needed.any():
        return market
    surplus, floor = _funded_surplus(market, prices[tree.node_of])
    served = _served(market, grant)
    short = np.flatnonzero(tree.summed(served.astype(float)) < needed)
    if not len(short):
        return market
    raised = market.limits.floor.copy()
    for node in short:
        rows = tree.rows(int(node))
        rows = rows[np.isfinite(surplus[rows])]
        if len(rows) < needed[node]:
            raise _impossible(tree, int(node), len(rows))
        best = rows[np.argsort(-surplus[rows], kind="stable")[: int(needed[node])]]
        raised[best] = np.maximum(raised[best], floor[best])
    if (raised == market.limits.floor).all():  # a floor alone doesn't bring them an option worth anything
        raise _impossible(tree, int(short[0]), int(tree.summed(served.astype(float))[short[0]]))
    limits = market.limits._replace(floor=raised, low=np.maximum(market.limits.low, raised))
    return Market(market.curves, limits, market.tariff)


def _impossible(tree: Tree, node: int, served: int) -> InvalidArgument:
    group = tree.groups[node - 1]
    allowed = f"at most {served:,} funded queries in {group.name!r}: the others have no cap worth anything"
    return InvalidArgument("min_funded", group.min_funded, allowed, "lower the share, or raise max_tokens or levels")


def _served(market: Market, grant: Solution) -> np.ndarray:
    """Queries that have a cap worth something."""
    fallback = market.gather_smooth(market.limits.fallback)
    smooth = (grant.caps > fallback) & (market.smooth.curves.utility(grant.caps) > 0)
    served: np.ndarray = market.scatter(smooth, market.menus.value_of(grant.chosen) > 0)
    return served


def _funded_surplus(market: Market, prices: Array) -> tuple[Array, Array]:
    """Highest surplus of each query if it must be funded, -inf where it can't be, and the floor that forces it."""
    surplus, floor = np.full(len(market), -np.inf), np.zeros(len(market))
    side, menus = market.smooth, market.menus
    own = prices[market.smooth_rows]
    caps = np.minimum(np.maximum(np.ceil(side.demand_if_funded(own)), np.floor(side.start) + 1.0), side.last_whole)
    worth = side.curves.utility(caps)
    surplus[market.smooth_rows] = np.where(worth > 0, worth - own * side.charge(caps), -np.inf)
    floor[market.smooth_rows] = caps
    useful = (menus.values > 0) & np.isfinite(menus.costs)
    charge = np.where(useful, menus.costs, 0.0)
    of_option = np.where(useful, menus.values - prices[market.menu_rows][:, None] * charge, -np.inf)
    surplus[market.menu_rows] = of_option.max(axis=1, initial=-np.inf)
    tokens = np.where(useful, menus.options.tokens, np.inf).min(axis=1, initial=np.inf)
    floor[market.menu_rows] = np.where(np.isfinite(tokens), np.maximum(tokens, 1.0), 0.0)
    return surplus, floor
