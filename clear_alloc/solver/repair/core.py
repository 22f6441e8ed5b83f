"""Improve the funded set within its core: the few queries whose jump price is nearest to the clearing price.

For a fixed choice of the core (fund or not, which option) the rest is concave. Its value is then the smallest dual
value over all prices. On a grid of prices that value is a row of numbers, to which each query adds its surplus. A
row's minimum bounds every completion of a partial choice from above: branch and bound, all branches of a level at
once.
The core idea: Balas & Zemel 1980; Pisinger 1995 for multiple choice. The Lagrangian bound: Geoffrion 1974.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.solver.pricing.clearing import Clearing
from clear_alloc.solver.primal.solution import FundedSet
from clear_alloc.support.types import Bool, Index

__all__ = ["MOST_QUERIES", "improved_funded_sets"]

MOST_QUERIES = 20_000  # beyond this a better core is worth less than 1e-6 of the utility
CORE_SIDE = 12  # core queries on each side of the clearing price
COPIES = 4  # of identical queries on one side of the price
BEAM = 512  # partial choices kept per level
_PRUNED_FROM = 128  # branches; of fewer none is dropped
SETS = 6  # complete choices handed back
# Relative to the clearing price: dense near it, from 1/20 to 20 times; price 0 is added.
_OFFSETS = np.exp(np.sinh(np.linspace(-4.5, 4.5, 31)) / 15.0)


class _Choice(NamedTuple):
    """What one core query may do: surplus at each price of the grid (a, k), least cost (a,) and level (a,)."""

    demand: int
    query: int
    surplus: Array
    least: Array
    level: Index

    def only(self, kept: Bool) -> _Choice:
        """With some of its levels."""
        return self._replace(surplus=self.surplus[kept], least=self.least[kept], level=self.level[kept])


def improved_funded_sets(
    market: Market, funded_set: FundedSet, clearing: Clearing, budget: float, known: float
) -> list[tuple[FundedSet, float]]:
    """Funded sets that may be worth more than `known`, each with its bound, best first, at most SETS of them.

    O(n + BEAM x core) times the grid of 32 prices. Empty where nothing in the core can do better.
    """
    if clearing.price <= 0.0 or len(market) > MOST_QUERIES:
        return []
    prices = np.concatenate([[0.0], clearing.price * _OFFSETS])
    queries = _core(market, funded_set, clearing.price)
    if not queries:
        return []
    choices = _choices(market, prices, clearing.price, queries)
    row, least = _rest(market, funded_set, prices, budget, choices)
    reduced = _reduced(choices, row, known)
    if reduced is None:
        return []
    fixed, choices, row = reduced
    now = [_level(funded_set, choice) for choice in choices]
    changed = any(_level(funded_set, choice) != level for choice, level in zip(*fixed[:2], strict=True))
    funded_set = _applied(funded_set, fixed.choices, fixed.levels)
    levels, bounds = _search(choices, row, budget - least - fixed.least, known)
    found = list(zip(levels.tolist(), bounds.tolist(), strict=True))
    if not changed:
        found = [one for one in found if one[0] != now]  # that set is known already
    return [(_applied(funded_set, choices, chosen), bound) for chosen, bound in found[:SETS]]


def _core(market: Market, funded_set: FundedSet, price: float) -> list[tuple[int, int]]:
    """The queries of the nearest breakpoints on both sides of the price, nearest first, each as demand and query."""
    found = [demand.core_breakpoints(levels) for demand, levels in zip(market.demands, funded_set, strict=True)]
    demand = np.repeat(np.arange(len(found)), [len(points.query) for points, _ in found])
    query, jump_price, size = (
        np.concatenate([getattr(points, name) for points, _ in found]) for name in ("query", "price", "cost")
    )
    taken = np.concatenate([climbed for _, climbed in found])
    with np.errstate(divide="ignore"):  # a price that underflowed to 0 is infinitely far
        distance = np.abs(np.log(jump_price) - np.log(price))
    near = np.concatenate([_nearest(distance, size, np.flatnonzero(side)) for side in (taken, ~taken)])
    near = near[np.argsort(distance[near], kind="stable")]
    return list(dict.fromkeys(zip(demand[near].tolist(), query[near].tolist(), strict=True)))


def _nearest(distance: Array, size: Array, rows: Index) -> Index:
    """The nearest, at most COPIES of one kind: identical queries would keep all others out of the core."""
    if len(rows) <= CORE_SIDE:
        return rows
    rows = rows[np.lexsort((size[rows], distance[rows]))]
    other = (np.diff(distance[rows], prepend=-1.0) != 0.0) | (np.diff(size[rows], prepend=-1.0) != 0.0)
    position = np.arange(len(rows))
    copy = position - np.maximum.accumulate(np.where(other, position, 0))
    return rows[copy < COPIES][:CORE_SIDE]


def _choices(market: Market, prices: Array, price: float, core: list[tuple[int, int]]) -> list[_Choice]:
    """The core's choices, in its order."""
    found: dict[tuple[int, int], _Choice] = {}
    for k, demand in enumerate(market.demands):
        queries = [query for of, query in core if of == k]
        if queries:
            options = demand.choices(np.array(queries, dtype=np.intp), prices, price)
            for query, (level, surplus, least) in zip(queries, options, strict=True):
                found[k, query] = _Choice(k, query, surplus, least, level)
    return [found[one] for one in core]


def _rest(
    market: Market, funded_set: FundedSet, prices: Array, budget: float, choices: list[_Choice]
) -> tuple[Array, float]:
    """Dual value of the queries outside the core, at each price, and what their levels cost at least."""
    row, least = prices * budget, 0.0
    for k, (demand, levels) in enumerate(zip(market.demands, funded_set, strict=True)):
        outside = np.ones(len(demand), dtype=bool)
        outside[[choice.query for choice in choices if choice.demand == k]] = False
        row = row + demand.level_surplus(levels, prices, outside)
        least += float(demand.least_charge(levels)[outside].sum())
    return row, least


class _Fixed(NamedTuple):
    """Choices with one level left, and what those cost at least, together."""

    choices: list[_Choice]
    levels: list[int]
    least: float


def _reduced(choices: list[_Choice], row: Array, known: float) -> tuple[_Fixed, list[_Choice], Array] | None:
    """What can be told of each choice alone: the fixed ones, the open ones, and the row with the fixed ones in it.

    A level is out if even with all other queries unrestricted it can't exceed `known`. None where nothing is left.
    """
    sizes = np.array([len(choice.least) for choice in choices])
    ends, owner = np.cumsum(sizes), np.repeat(np.arange(len(choices)), sizes)
    surplus, least, level = (
        np.concatenate([getattr(choice, name) for choice in choices]) for name in ("surplus", "least", "level")
    )
    best = np.maximum.reduceat(surplus, ends - sizes, axis=0)
    hopeful = (row + best.sum(axis=0) - best[owner] + surplus).min(axis=1) > known
    left = np.bincount(owner, hopeful, minlength=len(choices))
    if not left.all():
        return None
    last = hopeful & (left == 1)[owner]
    fixed = _Fixed([choices[k] for k in owner[last].tolist()], level[last].tolist(), float(least[last].sum()))
    open_ = [
        choices[k] if left[k] == sizes[k] else choices[k].only(hopeful[ends[k] - sizes[k] : ends[k]])
        for k in (left > 1).nonzero()[0].tolist()
    ]
    return fixed, open_, row + surplus[last].sum(axis=0)


def _search(choices: list[_Choice], row: Array, left: float, known: float) -> tuple[Index, Array]:
    """Levels of the complete choices whose bound exceeds `known`, best first, (sets, core), and the bounds."""
    rows, spent = row[None, :], np.zeros(1)
    rest = np.cumsum([np.zeros(len(row)), *(choice.surplus.max(axis=0) for choice in choices[::-1])], axis=0)[::-1]
    least = np.cumsum([0.0, *(choice.least.min() for choice in choices[::-1])])[::-1]
    levels: list[_Level] = []
    first = 0
    for depth, choice in enumerate(choices, 1):
        rows = (rows[:, None, :] + choice.surplus).reshape(len(spent) * len(choice.least), len(row))
        spent = (spent[:, None] + choice.least).ravel()
        if len(rows) < _PRUNED_FROM and depth < len(choices):
            continue  # a few branches too many cost less than telling which
        bound = (rows + rest[depth]).min(axis=1)
        good = ((bound > known) & (spent + least[depth] <= left)).nonzero()[0]
        good = _distinct(good, bound, rows, spent)[:BEAM]
        levels.append(_Level(choices[first:depth], good))
        rows, spent, first = rows[good], spent[good], depth
    return _traced(levels, min(len(rows), SETS + 1)), rows.min(axis=1)[: SETS + 1]


class _Level(NamedTuple):
    """Choices made together, and which of their combinations, after each branch before, were kept."""

    choices: list[_Choice]
    kept: Index


def _traced(levels: list[_Level], sets: int) -> Index:
    """The levels that led to the first few of the last level's branches, (sets, choices)."""
    branch = np.arange(sets)
    columns: list[Index] = []
    for level in reversed(levels):
        taken = level.kept[branch]
        for choice in reversed(level.choices):
            taken, place = np.divmod(taken, len(choice.level))
            columns.append(choice.level[place])
        branch = taken
    return np.array(columns[::-1], dtype=np.intp).reshape(len(columns), sets).T


def _distinct(good: Index, bound: Array, rows: Array, spent: Array) -> Index:
    """Best bound first, one of each kind: identical queries make many equal branches."""
    good = good[np.argsort(-bound[good], kind="stable")]
    ordered = bound[good]
    if not (ordered[:-1] - ordered[1:] <= 1e-12 * np.abs(ordered[:1])).any():
        return good
    key = np.column_stack([-ordered, rows[good].sum(axis=1), spent[good]])
    order = np.lexsort(key.T[::-1])
    good, key = good[order], key[order]
    scale = 1e-12 * np.abs(key).max(axis=0, initial=1e-300)
    new = np.ones(len(good), dtype=bool)
    new[1:] = (np.abs(np.diff(key, axis=0)) > scale).any(axis=1)
    return good[new]


def _level(funded_set: FundedSet, choice: _Choice) -> int:
    return int(funded_set[choice.demand][choice.query])


def _applied(funded_set: FundedSet, choices: list[_Choice], levels: list[int]) -> FundedSet:
    changed = tuple(column.copy() for column in funded_set)
    for choice, level in zip(choices, levels, strict=True):
        changed[choice.demand][choice.query] = level
    return changed
