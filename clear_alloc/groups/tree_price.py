"""Prices of nested budgets: one for the whole, another wherever a group's own budget or guarantee binds.

At a price for the whole, every group's demand is clamped between its guarantee and its budget, from the innermost
out; what remains falls with the price, so that one bracketed search clears the whole, and one more each group that
binds.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.groups.tree import ROOT, Tree
from clear_alloc.market.market import Market
from clear_alloc.solver.pricing.bracket import bracket_decreasing

__all__ = ["Binding", "Clearing", "Prices", "nested_bound"]

_NEARLY_FREE = 1e-9  # of the price around it: a guarantee that covers everything would otherwise weigh without limit


class Binding(Enum):
    """What separates a group's price from the one around it; the value is the message."""

    NONE = "it shares the price around it"
    BUDGET = "its own budget binds"
    GUARANTEE = "its guarantee binds"


class Prices(NamedTuple):
    """Price at which the queries of each node buy, (nodes,), and why it differs from the parent's."""

    price: Array
    binding: tuple[Binding, ...]


class Clearing:
    """What the nodes of a tree want of a market at a price, within their limits; the whole has a pool."""

    def __init__(self, market: Market, tree: Tree):
        self.market, self.tree = market, tree
        self.least = np.zeros(len(tree))
        self.least = np.minimum(tree.guarantee, self.clamped(0.0)[0])
        self._prices: dict[float, float] = {}

    def clamped(self, price: float) -> tuple[Array, Array]:
        """Demand of each node within its limits, and before its own are applied, (nodes,)."""
        tree = self.tree
        raw = np.bincount(tree.node_of, self.market.demand_of_each(price), minlength=len(tree)).astype(np.float64)
        held = raw.copy()
        for layer in tree.layers:
            held[layer] = np.maximum(np.minimum(raw[layer], tree.ceiling[layer]), self.least[layer])
            np.add.at(raw, tree.parent[layer], held[layer])
        held[ROOT] = raw[ROOT]
        return held, raw

    def price(self, pool: float) -> float:
        """Lowest price at which what is wanted fits `pool`."""
        if pool not in self._prices:
            self._prices[pool] = self._price(pool)
        return self._prices[pool]

    def _price(self, pool: float) -> float:
        def wanted(price: float) -> float:
            return float(self.clamped(price)[0][ROOT])

        high = self.market.highest_price
        if high <= 0.0 or wanted(0.0) <= pool:
            return 0.0
        if wanted(high) > pool:  # floors and guarantees are all that fits
            return high
        return bracket_decreasing(wanted, pool, high, self.market.breakpoint_prices).high

    def binding(self, price: float) -> dict[int, Binding]:
        """The outermost nodes whose own limits bind at a price."""
        raw, tree = self.clamped(price)[1], self.tree
        found: dict[int, Binding] = {}
        free = np.zeros(len(tree), dtype=bool)
        free[ROOT] = True
        for node in range(1, len(tree)):
            if not free[tree.parent[node]]:
                continue
            if raw[node] > tree.ceiling[node]:
                found[node] = Binding.BUDGET
            elif raw[node] < self.least[node]:
                found[node] = Binding.GUARANTEE
            else:
                free[node] = True
        return found


def nested_bound(market: Market, tree: Tree, prices: Prices, alone: Array) -> tuple[float, Array, Array]:
    """An upper bound on every feasible allocation, and the multipliers behind it.

    alone : (nodes,) the utility that each guarantee buys by itself, which no allocation may fall below.
    Returns the bound, weight (nodes,) of the utility and charge (nodes,) of a budget unit in the Lagrangian; their
    quotient is the node's price. A budget's multiplier is the rise of `charge` at its node, a guarantee's that of
    `weight`.
    """
    weight, charge = np.ones(len(tree)), np.full(len(tree), prices.price[ROOT])
    bound = charge[ROOT] * tree.ceiling[ROOT]
    for node in range(1, len(tree)):
        around = tree.parent[node]
        weight[node], charge[node] = weight[around], charge[around]
        if prices.binding[node] is Binding.BUDGET:
            charge[node] = max(prices.price[node] * weight[node], charge[around])
            bound += (charge[node] - charge[around]) * tree.ceiling[node]
        elif prices.binding[node] is Binding.GUARANTEE and charge[around] > 0.0:
            own = max(prices.price[node], _NEARLY_FREE * prices.price[around])
            weight[node] = max(charge[around] / own, weight[around])
            bound -= (weight[node] - weight[around]) * alone[node]
    surplus = market.surpluses((charge / weight)[tree.node_of])
    return float(bound + (weight[tree.node_of] * surplus).sum()), weight, charge
