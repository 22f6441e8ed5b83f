"""A least share of funded queries per group: floors for the queries that lose least by being funded."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.errors import InvalidArgument
from clear_alloc.groups.tree import Tree
from clear_alloc.market.market import Market
from clear_alloc.solver.primal.solution import Solution
from clear_alloc.support.types import Bool, Index

__all__ = ["with_shares_funded"]

_NOBODY: Index = np.empty(0, dtype=np.intp)


def with_shares_funded(market: Market, tree: Tree, prices: Array, solution: Solution) -> Market:
    """The market itself if every group has its share funded; else with floors for as many queries as need one.

    prices : (nodes,), at which the queries buy. Funded means a cap on the branch where tokens are worth their price,
    not a token for form's sake. Who is funded: those with the highest surplus, be it negative. O(n log n).
    """
    needed = np.ceil(tree.min_funded * tree.summed(np.ones(len(market))) - 1e-9)
    if not needed.any():
        return market
    surplus, floor = _funded_surplus(market, prices[tree.node_of])
    served = _served(market, solution)
    short = np.flatnonzero(tree.summed(served.astype(float)) < needed)
    if not len(short):
        return market
    raised = market.caps.floor.copy()
    for node in short:
        rows = tree.rows(int(node))
        rows = rows[np.isfinite(surplus[rows])]
        if len(rows) < needed[node]:
            raise _impossible(tree, int(node), len(rows))
        best = rows[np.argsort(-surplus[rows], kind="stable")[: int(needed[node])]]
        raised[best] = np.maximum(raised[best], floor[best])
    if (raised == market.caps.floor).all():  # a floor alone doesn't bring them an option worth anything
        raise _impossible(tree, int(short[0]), int(tree.summed(served.astype(float))[short[0]]))
    caps = market.caps._replace(floor=raised, low=np.maximum(market.caps.low, raised))
    return Market(market.curves, caps, market.tariff)


def _impossible(tree: Tree, node: int, served: int) -> InvalidArgument:
    group = tree.groups[node - 1]
    allowed = f"at most {served:,} funded queries in {group.name!r}: the others have no cap worth anything"
    return InvalidArgument("min_funded", group.min_funded, allowed, "lower the share, or raise max_tokens or levels")


def _served(market: Market, solution: Solution) -> Bool:
    """Queries that have a cap worth something."""
    funded: Bool = market.decided(lambda demand, column: demand.value(column) > 0, solution.decisions)
    above = market.decided(lambda demand, column: demand.tokens(column), solution.decisions) > market.caps.fallback
    listed = market.rows[-1] if market.finite is not None else _NOBODY
    above[listed] = True
    served: Bool = funded & above
    return served


def _funded_surplus(market: Market, prices: Array) -> tuple[Array, Array]:
    """Highest surplus of each query if it must be funded, -inf where it can't be, and the floor that forces it."""
    pairs = [demand.forced(market.gather(prices, k)) for k, demand in enumerate(market.demands)]
    return market.scatter([surplus for surplus, _ in pairs]), market.scatter([floor for _, floor in pairs])
