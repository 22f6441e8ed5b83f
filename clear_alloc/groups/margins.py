"""One tree, one pool: prices, caps, certificate; with margins under every budget where accounting is expected."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.errors import BudgetTooSmall
from clear_alloc.groups.exact import NestedBound
from clear_alloc.groups.nested import Nested
from clear_alloc.groups.tree import ROOT, Tree
from clear_alloc.groups.tree_price import Prices
from clear_alloc.market.market import Market
from clear_alloc.solver.chance.margin import margin_of
from clear_alloc.solver.chance.sum_distribution import margin_from_moments, upper_quantile
from clear_alloc.solver.primal.solution import Solution, charge_per_query, floor_solution

__all__ = ["TreeSolution", "margins_of", "solve_tree"]

_MARGIN_ROUNDS = 12  # three or so settle the margins, unless single queries move them a lot
_CLOSE = 1e-3  # of a margin: less than that is not worth another round
_MOST_SUMS = 32  # budgets whose sums are known by their distribution; of more, by their moments
_ROUNDING = 1e-12  # of a budget: what a sum of charges may be off by


class TreeSolution(NamedTuple):
    """A solution, its prices and bound; margins and alone are arrays (nodes,)."""

    solution: Solution
    prices: Prices
    bound: NestedBound
    margins: Array
    alone: Array


def solve_tree(market: Market, tree: Tree, z_score: float) -> TreeSolution:
    """The best solution found whose charge and margin fit every budget."""
    taken: dict[int, Market] = {}
    if z_score <= 0.0:
        return _solved(Nested(market, tree, taken), np.zeros(len(tree)))
    floors = floor_solution(market)
    most = tree.ceiling - tree.summed(market.least)  # margins that leave the floors their due
    held = margins_of(market, tree, floors, z_score)
    _check_floors(market, tree, held)
    best, low, high = None, np.zeros(len(tree)), most
    margins = np.minimum(held, most)
    worst = np.zeros(len(tree))
    for tried in range(_MARGIN_ROUNDS):
        solution = _solved(Nested(market, _less(market, tree, margins), taken), margins)
        needed = margins_of(market, tree, solution.solution, z_score)
        left = tree.ceiling - tree.summed(charge_per_query(market, solution.solution)) - needed
        fits = left >= -_ROUNDING * tree.ceiling
        if fits.all() and (best is None or solution.solution.utility > best.solution.utility):
            best = solution._replace(margins=needed)
        # Each margin moves between one that was too small and one that was enough.
        low, high = np.where(fits, low, np.maximum(low, margins)), np.where(fits, np.minimum(high, margins), high)
        done = fits & ((needed >= margins * (1.0 - _CLOSE)) | (high - low <= _CLOSE * needed))
        if done.all():
            break
        worst = np.maximum(worst, needed)
        wanted = needed * (1.0 + 0.1 * _CLOSE)
        inside = (wanted > low) & (wanted < high)
        between = np.where(np.isfinite(high), 0.5 * (low + high), wanted)
        margins = np.where(done, margins, np.where(inside, wanted, between))
        if best is None and tried >= _MARGIN_ROUNDS // 2:  # plans that jump to and fro: be as careful as any needs
            margins = np.minimum(np.maximum(margins, worst), most)
    if best is None:
        nested = Nested(market, _less(market, tree, margins), taken)
        best = _certified(nested, floors, held)
    # Certified were the budgets less the margins that were assumed; promised is a bound for those that are needed.
    tree = _less(market, tree, best.margins)
    return best._replace(bound=NestedBound(market, tree, best.prices, best.alone))


def _check_floors(market: Market, tree: Tree, margins: Array) -> None:
    """Floors and their margin must fit every budget."""
    needed, unit = tree.summed(market.least) + margins, market.tariff.unit
    for node in range(len(tree) - 1, -1, -1):
        if needed[node] > tree.ceiling[node] * (1.0 + _ROUNDING):
            where = f"in group {tree.groups[node - 1].name!r}" if node else "together"
            what = f"min_tokens {where} and their margin"
            raise BudgetTooSmall(needed[node] * unit, tree.ceiling[node] * unit, what, market.tariff.counted_in)


def _less(market: Market, tree: Tree, margins: Array) -> Tree:
    """The tree with what is left of its budgets and guarantees."""
    less = replace(tree, guarantee=np.maximum(tree.guarantee - margins, 0.0))
    return replace(less, ceiling=np.maximum(tree.ceiling - margins, less.needed(market.least)))


def margins_of(market: Market, tree: Tree, solution: Solution, z_score: float) -> Array:
    """What each node has to hold back, (nodes,)."""
    if z_score <= 0.0:
        return np.zeros(len(tree))
    variance, third, worst = (_of_each(market, solution, name) for name in ("variance", "third_moment", "worst"))
    largest = np.zeros(len(tree))
    np.maximum.at(largest, tree.node_of, variance)
    for node in range(len(tree) - 1, ROOT, -1):
        largest[tree.parent[node]] = max(largest[tree.parent[node]], largest[node])
    spent = tree.summed(charge_per_query(market, solution))
    slack = tree.summed(worst) - spent
    margins = margin_from_moments(z_score, tree.summed(variance), tree.summed(third), largest, slack)
    margins[ROOT] = margin_of(market, solution, z_score)  # the margin that the whole is audited for
    binding = np.flatnonzero(np.isfinite(tree.ceiling[1:])) + 1
    for node in binding[:_MOST_SUMS].tolist():
        among = np.zeros(len(market), dtype=bool)
        among[tree.rows(node)] = True
        quantile = upper_quantile(market, solution, z_score, among)
        if quantile is not None:
            margins[node] = max(min(quantile - float(spent[node]), float(slack[node])), 0.0)
    return margins


def _of_each(market: Market, solution: Solution, quantity: str) -> Array:
    column: Array = market.decided(lambda demand, decision: getattr(demand, quantity)(decision), solution.decisions)
    return column


def _solved(nested: Nested, margins: Array) -> TreeSolution:
    pool = float(nested.tree.ceiling[ROOT])
    return _certified(nested, nested.solved(pool), margins)


def _certified(nested: Nested, solution: Solution, margins: Array) -> TreeSolution:
    bound = nested.bound(float(nested.tree.ceiling[ROOT]))
    return TreeSolution(solution, bound.prices, bound, margins, nested.alone)
