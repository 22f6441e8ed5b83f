"""The best combination of finite choices under nested budgets and guarantees, where that is within reach."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.errors import TooLarge
from clear_alloc.groups.tree import ROOT, Tree
from clear_alloc.groups.tree_price import Prices, nested_bound
from clear_alloc.market.demand import MOST_STATES, ChoiceClass
from clear_alloc.market.market import Market
from clear_alloc.solver.dual import DualBound
from clear_alloc.solver.primal.solution import Solution, charge_per_query
from clear_alloc.solver.repair.state_lists import (
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
        least = float(self.tree.needed(self.market.least)[ROOT])  # floors and guarantees are paid whatever the pool
        return nested_bound(self.market, self.tree.with_pool(max(pool, least)), self.prices, self.alone)[0]


def combined(bound: NestedBound, solution: Solution, work: float) -> Solution:
    """The best combination of finite choices if that is within reach and better, else the solution itself.

    work : pairs of states and options that may be put together.
    """
    market, tree = bound.market, bound.tree
    gap = bound.value - solution.utility
    if gap <= _WORTH_A_SEARCH * abs(bound.value):
        return solution
    of_query = tree.node_of
    try:
        classes = choice_classes(market, bound.weight[of_query], bound.charge[of_query], gap, tree.room[of_query])
    except TooLarge:
        return solution
    options = sum(len(one.charge) for one in classes if len(one.charge) > 1) + _PER_GROUP * (len(tree) - 1)
    most = int(min(MOST_STATES, work / max(options, 1)))
    if most < _FEWEST_STATES:
        return solution
    places = best_choices(_knapsacks(bound, classes), gap, most)
    if places is None:
        return solution
    rival = applied(market, solution, classes, places)
    fits = bool((tree.summed(charge_per_query(market, rival)) <= tree.ceiling).all())
    return rival if fits and rival.utility > solution.utility else solution


def _knapsacks(bound: NestedBound, classes: list[ChoiceClass]) -> Knapsack:
    """The tree as knapsacks."""
    tree, weight, charge = bound.tree, bound.weight, bound.charge
    knapsacks: list[Knapsack] = []
    for node in range(len(tree)):
        around = tree.parent[node]
        rises = (charge[node] - charge[around], weight[node] - weight[around]) if node else (charge[ROOT], 0.0)
        least = float(bound.alone[node]) if node and tree.guarantee[node] > 0 else -np.inf
        knapsacks.append(Knapsack(float(tree.ceiling[node]), least, float(rises[0]), float(rises[1])))
        if node:
            knapsacks[around].inner.append(knapsacks[node])
    for one in classes:
        knapsacks[tree.node_of[one.query]].classes.append(one)
    return knapsacks[ROOT]
