"""The best combination of finite choices under nested budgets and guarantees, where that is within reach."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.groups.tree import ROOT, Tree
from clear_alloc.groups.tree_price import Prices, nested_bound
from clear_alloc.market.market import Market
from clear_alloc.solver.dual import DualBound
from clear_alloc.solver.primal.water_filling import Solution, charge_per_query
from clear_alloc.solver.repair.state_lists import (
    MOST_STATES,
    ChoiceClass,
    Knapsack,
    applied,
    best_choices,
    choice_classes,
)

__all__ = ["NestedBound", "combined"]

_WORTH_A_SEARCH = 1e-7  # of the upper bound: a smaller gap is left as it is
_PER_GROUP = 64  # options that take as long as putting one group's list together with the others
_FEWEST_STATES = 300  # with shorter lists nothing better is found


class NestedBound(DualBound):
    """The dual value of nested budgets, and what it is the dual of.

    alone : (nodes,) the utility that each guarantee buys by itself.
    """

    def __init__(self, market: Market, tree: Tree, prices: Prices, alone: Array):
        self.tree, self.prices, self.alone = tree, prices, alone
        value, self.weight, self.charge = nested_bound(market, tree, prices, alone)
        super().__init__(value, float(prices.price[ROOT]), market)
        self.own_prices = prices.price[tree.node_of]

    def recomputed(self, pool: float) -> float:
        """The dual value at a pool, which is that of the tree."""
        return nested_bound(self.market, self.tree.with_pool(pool), self.prices, self.alone)[0]


def combined(bound: NestedBound, grant: Solution, work: float) -> Solution:
    """The best combination of finite choices if that is within reach and better, else the grant itself.

    work : pairs of states and options that may be put together.
    """
    market, tree = bound.market, bound.tree
    gap = bound.value - grant.utility
    if gap <= _WORTH_A_SEARCH * abs(bound.value):
        return grant
    of_query = tree.node_of
    items = choice_classes(market, bound.weight[of_query], bound.charge[of_query], gap, tree.room[of_query])
    if items is None:
        return grant
    options = sum(len(item.charge) for item in items if len(item.charge) > 1) + _PER_GROUP * (len(tree) - 1)
    most = int(min(MOST_STATES, work / max(options, 1)))
    if most < _FEWEST_STATES:
        return grant
    places = best_choices(_boxes(bound, items), gap, most)
    if places is None:
        return grant
    rival = applied(market, grant, items, places)
    fits = bool((tree.summed(charge_per_query(market, rival)) <= tree.ceiling).all())
    return rival if fits and rival.utility > grant.utility else grant


def _boxes(bound: NestedBound, items: list[ChoiceClass]) -> Knapsack:
    """The tree as boxes."""
    tree, weight, charge = bound.tree, bound.weight, bound.charge
    boxes: list[Knapsack] = []
    for node in range(len(tree)):
        around = tree.parent[node]
        rises = (charge[node] - charge[around], weight[node] - weight[around]) if node else (charge[ROOT], 0.0)
        least = float(bound.alone[node]) if node and tree.guarantee[node] > 0 else -np.inf
        boxes.append(Knapsack(float(tree.ceiling[node]), least, float(rises[0]), float(rises[1])))
        if node:
            boxes[around].boxes.append(boxes[node])
    for item in items:
        boxes[tree.node_of[item.query]].items.append(item)
    return boxes[ROOT]
