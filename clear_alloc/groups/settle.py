"""One tree, one pool: prices, caps, certificate; with margins under every budget where accounting is expected."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from clear_alloc.combine import Box, Item, applied, best_combination, items_of
from clear_alloc.curves import Array
from clear_alloc.groups.clearing import Prices, cleared, nested_bound
from clear_alloc.groups.nested import Nested, idle_spent
from clear_alloc.groups.tree import ROOT, Tree
from clear_alloc.market import Market
from clear_alloc.overrun import margin_within
from clear_alloc.plan import Grant, charges_of
from clear_alloc.result import Bound

__all__ = ["NestedBound", "Solution", "settled_tree"]

_MARGIN_ROUNDS = 8  # three or so settle the margins
_CLOSE = 1e-3  # of a margin: less than that is not worth another round
_ROUNDING = 1e-12  # of a budget: what a sum of charges may be off by
_WORTH_A_SEARCH = 1e-7  # of the upper bound: a smaller gap is left as it is


class NestedBound(Bound):
    """The dual value of nested budgets, and what it is the dual of."""

    def __init__(self, market: Market, tree: Tree, prices: Prices, alone: Array):
        self.tree, self.prices, self.alone = tree, prices, alone
        value, self.weight, self.charge = nested_bound(market, tree, prices, alone)
        super().__init__(value, float(prices.price[ROOT]), market)
        self.own_prices = prices.price[tree.node_of]

    def recomputed(self, pool: float) -> float:
        """The dual value at a pool, which is that of the tree."""
        tree = replace(self.tree, ceiling=np.append(pool, self.tree.ceiling[1:]))
        return nested_bound(self.market, tree, self.prices, self.alone)[0]


class Solution(NamedTuple):
    """A grant, its prices and bound; margins and alone are arrays (nodes,)."""

    grant: Grant
    prices: Prices
    bound: NestedBound
    margins: Array
    alone: Array


def settled_tree(market: Market, tree: Tree, deviations: float) -> Solution:
    """The best grant found whose charge and margin fit every budget."""
    if deviations <= 0.0:
        return _solved(market, tree, np.zeros(len(tree)))
    margins, best = np.zeros(len(tree)), None
    for _ in range(_MARGIN_ROUNDS):
        solution = _solved(market, _less(tree, margins), margins)
        needed = _margins(market, tree, solution.grant, deviations)
        spent = tree.summed(charges_of(market, solution.grant))
        fits = (spent + needed <= tree.ceiling * (1.0 + _ROUNDING)).all()
        if fits and (best is None or solution.grant.utility > best.grant.utility):
            best = solution._replace(margins=needed)
        if fits and (np.abs(needed - margins) <= _CLOSE * needed).all():
            break
        # Once one try fits, only a smaller margin is of interest; before, a larger one may be needed.
        margins = needed * (1.0 + 0.1 * _CLOSE) if best is None or fits else 0.5 * (margins + best.margins)
    if best is None:
        nobody = Nested(market, tree).nobody()
        best = _certified(market, _less(tree, margins), nobody, _margins(market, tree, nobody, deviations))
    return best


def _less(tree: Tree, margins: Array) -> Tree:
    """The tree with what is left of its budgets and guarantees."""
    ceiling = np.maximum(tree.ceiling - margins, 0.0)
    return replace(tree, ceiling=ceiling, guarantee=np.maximum(tree.guarantee - margins, 0.0))


def _margins(market: Market, tree: Tree, grant: Grant, deviations: float) -> Array:
    """What each node has to hold back, (nodes,)."""
    variance, worst = np.empty(len(market)), np.empty(len(market))
    smooth, menus = market.smooth.charged, market.menus
    variance[market.smooth_rows] = smooth.deviation(grant.caps) ** 2
    variance[market.menu_rows] = menus.deviation_of(grant.chosen) ** 2
    worst[market.smooth_rows], worst[market.menu_rows] = smooth.most(grant.caps), menus.most_of(grant.chosen)
    room = tree.summed(worst) - tree.summed(charges_of(market, grant))
    return margin_within(deviations * np.sqrt(tree.summed(variance)), room)


def _solved(market: Market, tree: Tree, margins: Array) -> Solution:
    nested = Nested(market, tree)
    grant = idle_spent(nested, nested.solved(ROOT, float(tree.ceiling[ROOT])))
    return _certified(market, tree, grant, margins, nested)


def _certified(market: Market, tree: Tree, grant: Grant, margins: Array, nested: Nested | None = None) -> Solution:
    alone = (nested or Nested(market, tree)).alone()
    prices = cleared(market, tree, float(tree.ceiling[ROOT]))
    bound = NestedBound(market, tree, prices, alone)
    grant = _combined(market, tree, grant, bound)
    return Solution(grant, prices, bound, margins, alone)


def _combined(market: Market, tree: Tree, grant: Grant, bound: NestedBound) -> Grant:
    """The best combination of finite choices, where that is within reach."""
    gap = bound.value - grant.utility
    if gap <= _WORTH_A_SEARCH * abs(bound.value):
        return grant
    of_query = tree.node_of
    items = items_of(market, bound.weight[of_query], bound.charge[of_query], gap)
    if items is None:
        return grant
    box = _boxes(tree, bound, items)
    places = best_combination(box, gap)
    if places is None:
        return grant
    rival = applied(market, grant, items, places)
    spent = tree.summed(charges_of(market, rival))
    fits = bool((spent <= tree.ceiling).all())
    return rival if fits and rival.utility > grant.utility else grant


def _boxes(tree: Tree, bound: NestedBound, items: list[Item]) -> Box:
    """The tree as boxes; queries that have but one option left are settled."""
    boxes = []
    for node in range(len(tree)):
        around = tree.parent[node]
        weight, charge = bound.weight, bound.charge
        rises = (charge[node] - charge[around], weight[node] - weight[around]) if node else (charge[ROOT], 0.0)
        least = float(bound.alone[node]) if node and tree.guarantee[node] > 0 else -np.inf
        boxes.append(Box(float(tree.ceiling[node]), least, float(rises[0]), float(rises[1])))
        if node:
            boxes[around].boxes.append(boxes[node])
    for item in items:
        box = boxes[tree.node_of[item.query]]
        if len(item.charge) > 1:
            box.items.append(item)
        else:
            box.settled_charge += float(item.charge[0])
            box.settled_value += float(item.value[0])
    return boxes[ROOT]
