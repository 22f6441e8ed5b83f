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
from clear_alloc.groups.tree import ROOT, Index, Tree
from clear_alloc.market import Market
from clear_alloc.roots import falling_root

__all__ = ["Binding", "Prices", "Subtree", "cleared", "nested_bound"]

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
    pool: Array


class Subtree:
    """One node with everything inside it: the market of its queries, and where they stand."""

    def __init__(self, market: Market, tree: Tree, node: int):
        self.tree, self.node, self.within = tree, node, tree.inside(node)
        rows = np.flatnonzero(self.within[tree.node_of])
        self.market = market if node == ROOT else market.take(rows)
        self.node_of: Index = tree.node_of[rows]
        self.most = self.clamped(0.0, np.zeros(len(tree)))[0]

    def clamped(self, price: float, least: Array) -> tuple[Array, Array]:
        """Demand of each node within its limits, and before its own are applied, (nodes,)."""
        tree = self.tree
        raw = np.bincount(self.node_of, self.market.demands(price), minlength=len(tree)).astype(np.float64)
        held = np.zeros(len(tree))
        for node in range(len(tree) - 1, self.node - 1, -1):
            if not self.within[node]:
                continue
            held[node] = raw[node]
            if node != self.node:
                held[node] = max(min(raw[node], tree.ceiling[node]), least[node])
                raw[tree.parent[node]] += held[node]
        return held, raw

    def price(self, pool: float) -> float:
        """Lowest price at which what is wanted inside fits `pool`."""
        least = np.minimum(self.tree.guarantee, self.most)

        def wanted(price: float) -> float:
            return float(self.clamped(price, least)[0][self.node])

        high = self.market.highest_price
        if high <= 0.0 or wanted(0.0) <= pool:
            return 0.0
        if wanted(high) > pool:  # floors and guarantees are all that fits
            return high
        return falling_root(wanted, pool, high, self.market.jump_prices).high

    def binding(self, price: float) -> dict[int, Binding]:
        """The outermost nodes whose own limits bind at a price."""
        least = np.minimum(self.tree.guarantee, self.most)
        _, raw = self.clamped(price, least)
        found: dict[int, Binding] = {}
        free = np.zeros(len(self.tree), dtype=bool)
        free[self.node] = True
        for node in range(self.node + 1, len(self.tree)):
            if not (self.within[node] and free[self.tree.parent[node]]):
                continue
            if raw[node] > self.tree.ceiling[node]:
                found[node] = Binding.BUDGET
            elif raw[node] < least[node]:
                found[node] = Binding.GUARANTEE
            else:
                free[node] = True
        return found


def cleared(market: Market, tree: Tree, pool: float) -> Prices:
    """Price of every node. O(n) per evaluation of a price, log2(n) + 20 of them for each node that binds."""
    price, binding, pools = np.zeros(len(tree)), [Binding.NONE] * len(tree), np.full(len(tree), np.inf)
    open_nodes = [(ROOT, pool)]
    while open_nodes:
        node, size = open_nodes.pop()
        sub = Subtree(market, tree, node)
        own = sub.price(size)
        if binding[node] is Binding.BUDGET:  # rounding must not turn the order of the two round
            own = max(own, price[tree.parent[node]])
        elif binding[node] is Binding.GUARANTEE:
            own = min(own, price[tree.parent[node]])
        price[sub.within], pools[node] = own, size
        for inner, kind in sub.binding(own).items():
            binding[inner] = kind
            limit = tree.ceiling if kind is Binding.BUDGET else tree.guarantee
            open_nodes.append((inner, float(limit[inner])))
    return Prices(price, tuple(binding), pools)


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
