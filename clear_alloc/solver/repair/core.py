"""Improve the funded set within its core: the few queries whose jump price is nearest to the clearing price.

For a fixed choice of the core (fund or not, which option) the rest is concave, so its value is the smallest dual
value over all prices. On a grid of prices that value is a row of numbers, one surplus added per query, and a row's
minimum bounds every completion of a partial choice from above: branch and bound, all branches of a level at once.
The core idea: Balas & Zemel 1980; Pisinger 1995 for multiple choice. The Lagrangian bound: Geoffrion 1974.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.market.market import Bool, Index, Market, SmoothDemand
from clear_alloc.solver.pricing.clearing import Clearing
from clear_alloc.solver.primal.water_filling import FundedSet

__all__ = ["MOST_QUERIES", "improved_funded_sets"]

MOST_QUERIES = 20_000  # beyond this a better core is worth less than 1e-6 of the utility
CORE_SIDE = 12  # core queries on each side of the clearing price
COPIES = 4  # of identical queries on one side of the price
BEAM = 512  # partial choices kept per level
MENU_OPTIONS = 6  # options of a menu that are tried in the core
_PRUNED_FROM = 128  # branches; of fewer none is dropped
PLANS = 6  # complete choices handed back
# Relative to the clearing price: dense near it, from 1/20 to 20 times; price 0 is added.
_SKIP_OR_FUND: Index = np.array([0, 1])
_OFFSETS = np.exp(np.sinh(np.linspace(-4.5, 4.5, 31)) / 15.0)


class _Choice(NamedTuple):
    """What one core query may do: surplus at each price of the grid (a, k), least cost (a,) and decision (a,)."""

    query: int
    is_menu: bool
    surplus: Array
    least: Array
    decision: Index

    def only(self, some: Bool) -> _Choice:
        """With some of its decisions."""
        return self._replace(surplus=self.surplus[some], least=self.least[some], decision=self.decision[some])


def improved_funded_sets(
    market: Market, plan: FundedSet, clearing: Clearing, budget: float, known: float
) -> list[tuple[FundedSet, float]]:
    """Plans that may be worth more than `known`, each with its bound, best first, at most PLANS of them.

    O(n + BEAM x core) times the grid of 32 prices. Empty where nothing in the core can do better.
    """
    if clearing.price <= 0.0 or len(market) > MOST_QUERIES:
        return []
    prices = np.concatenate([[0.0], clearing.price * _OFFSETS])
    queries = _core(market, plan, clearing.price)
    if not queries:
        return []
    choices = _choices(market, prices, clearing.price, queries)
    row, least = _rest(market, plan, prices, budget, choices)
    solve_with_margin = _settled(choices, row, known)
    if solve_with_margin is None:
        return []
    fixed, choices, row = solve_with_margin
    plan, before = _applied(plan, fixed.choices, fixed.decisions), plan
    decisions, bounds = _search(choices, row, budget - least - fixed.least, known)
    found = list(zip(decisions.tolist(), bounds.tolist(), strict=True))
    if (plan.funded == before.funded).all() and (plan.chosen == before.chosen).all():
        now = [_decision(plan, choice) for choice in choices]
        found = [one for one in found if one[0] != now]  # that plan is known already
    return [(_applied(plan, choices, own), bound) for own, bound in found[:PLANS]]


def _core(market: Market, plan: FundedSet, price: float) -> list[tuple[int, bool]]:
    """Rows of the nearest jumps on both sides of the price, nearest first, and whether the row is a menu's."""
    smooth, menus, steps = market.smooth, market.menus, market.menus.steps
    rows = np.flatnonzero(smooth.breakpoints)
    jump = np.concatenate([smooth.entry_price[rows], steps.price])
    some = smooth.rows(rows)
    size = np.concatenate([some.charge(some.start), steps.cost])
    owner = np.concatenate([rows, steps.owner])
    is_menu = np.arange(len(jump)) >= len(rows)
    climbed = menus.charge_of(plan.chosen)[steps.owner] >= menus.costs[steps.owner, steps.option]
    taken = np.concatenate([plan.funded[rows], climbed])
    with np.errstate(divide="ignore"):  # a price that underflowed to 0 is infinitely far
        distance = np.abs(np.log(jump) - np.log(price))
    price_guess = np.concatenate([_nearest(distance, size, np.flatnonzero(side)) for side in (taken, ~taken)])
    price_guess = price_guess[np.argsort(distance[price_guess], kind="stable")]
    return list(dict.fromkeys(zip(owner[price_guess].tolist(), is_menu[price_guess].tolist(), strict=True)))


def _nearest(distance: Array, size: Array, rows: Index) -> Index:
    """The nearest, at most COPIES of one kind: identical queries would keep all others out of the core."""
    if len(rows) <= CORE_SIDE:
        return rows
    rows = rows[np.lexsort((size[rows], distance[rows]))]
    other = (np.diff(distance[rows], prepend=-1.0) != 0.0) | (np.diff(size[rows], prepend=-1.0) != 0.0)
    place = np.arange(len(rows))
    copy = place - np.maximum.accumulate(np.where(other, place, 0))
    return rows[copy < COPIES][:CORE_SIDE]


def _choices(market: Market, prices: Array, price: float, core: list[tuple[int, bool]]) -> list[_Choice]:
    """The core's choices, in its order."""
    rows = np.array([row for row, is_menu in core if not is_menu], dtype=np.intp)
    side = market.smooth.rows(rows)
    surplus = np.stack([side.floor_value - prices[:, None] * side.floor_charge, _surplus(side, prices)])
    least = np.stack([side.floor_charge, side.charge(side.start)])
    smooth = iter(zip(np.moveaxis(surplus, 2, 0), least.T, strict=True))
    return [
        _menu_choice(market, prices, price, row) if is_menu else _Choice(row, False, *next(smooth), _SKIP_OR_FUND)
        for row, is_menu in core
    ]


def _surplus(side: SmoothDemand, prices: Array) -> Array:
    """Highest surplus on the concave branch, shape (prices, n)."""
    caps = side.demand_if_funded(prices[:, None])
    return side.curves.utility(caps) - prices[:, None] * side.charge(caps)


def _menu_choice(market: Market, prices: Array, price: float, row: int) -> _Choice:
    menus = market.menus
    costs, values = menus.costs[row], menus.values[row]
    options = np.flatnonzero(np.isfinite(costs) & (costs > menus.base_charge[row]))
    best = np.argsort(-(values[options] - price * costs[options]), kind="stable")[:MENU_OPTIONS]
    options = options[best]
    cost = np.concatenate([[menus.base_charge[row]], costs[options]])
    value = np.concatenate([[menus.base_value[row]], values[options]])
    decision = np.concatenate([[menus.base[row]], options])
    return _Choice(row, True, value[:, None] - cost[:, None] * prices, cost, decision)


def _rest(
    market: Market, plan: FundedSet, prices: Array, budget: float, choices: list[_Choice]
) -> tuple[Array, float]:
    """Dual value of everybody outside the core, at each price, and what their decisions cost at least."""
    smooth, menus = market.smooth, market.menus
    free, own = np.ones(len(smooth), dtype=bool), np.ones(len(menus), dtype=bool)
    for choice in choices:
        (own if choice.is_menu else free)[choice.query] = False
    kept = free & ~plan.funded
    side = smooth.rows(np.flatnonzero(free & plan.funded))
    costs, values = menus.charge_of(plan.chosen)[own], menus.value_of(plan.chosen)[own]
    fixed_value = smooth.floor_value[kept].sum() + values.sum()
    fixed_cost = smooth.floor_charge[kept].sum() + costs.sum()
    row = prices * (budget - fixed_cost) + fixed_value
    row += _surplus(side, prices).sum(axis=1)
    return row, float(fixed_cost + side.charge(side.start).sum())


class _Fixed(NamedTuple):
    """Choices with one decision left, and what those cost at least, together."""

    choices: list[_Choice]
    decisions: list[int]
    least: float


def _settled(choices: list[_Choice], row: Array, known: float) -> tuple[_Fixed, list[_Choice], Array] | None:
    """What can be told of each choice alone: the fixed ones, the open ones, and the row with the fixed ones in it.

    A decision is out if even with everybody else unrestricted it can't exceed `known`. None where nothing is left.
    """
    sizes = np.array([len(choice.least) for choice in choices])
    ends, owner = np.cumsum(sizes), np.repeat(np.arange(len(choices)), sizes)
    surplus, least, decision = (np.concatenate([choice[k] for choice in choices]) for k in (2, 3, 4))
    best = np.maximum.reduceat(surplus, ends - sizes, axis=0)
    hopeful = (row + best.sum(axis=0) - best[owner] + surplus).min(axis=1) > known
    left = np.bincount(owner, hopeful, minlength=len(choices))
    if not left.all():
        return None
    last = hopeful & (left == 1)[owner]
    fixed = _Fixed([choices[k] for k in owner[last].tolist()], decision[last].tolist(), float(least[last].sum()))
    open_ = [
        choices[k] if left[k] == sizes[k] else choices[k].only(hopeful[ends[k] - sizes[k] : ends[k]])
        for k in (left > 1).nonzero()[0].tolist()
    ]
    return fixed, open_, row + surplus[last].sum(axis=0)


def _search(choices: list[_Choice], row: Array, left: float, known: float) -> tuple[Index, Array]:
    """Decisions of the complete choices whose bound exceeds `known`, best first, (plans, core), and the bounds."""
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
    return _traced(levels, min(len(rows), PLANS + 1)), rows.min(axis=1)[: PLANS + 1]


class _Level(NamedTuple):
    """Choices made together, and which of their combinations, after each branch before, were kept."""

    choices: list[_Choice]
    kept: Index


def _traced(levels: list[_Level], plans: int) -> Index:
    """The decisions that led to the first few of the last level's branches, (plans, choices)."""
    branch = np.arange(plans)
    columns: list[Index] = []
    for level in reversed(levels):
        taken = level.kept[branch]
        for choice in reversed(level.choices):
            taken, place = np.divmod(taken, len(choice.decision))
            columns.append(choice.decision[place])
        branch = taken
    return np.array(columns[::-1], dtype=np.intp).reshape(len(columns), plans).T


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


def _decision(plan: FundedSet, choice: _Choice) -> int:
    return int(plan.chosen[choice.query] if choice.is_menu else plan.funded[choice.query])


def _applied(plan: FundedSet, choices: list[_Choice], decisions: list[int]) -> FundedSet:
    funded, chosen = plan.funded.copy(), plan.chosen.copy()
    for choice, decision in zip(choices, decisions, strict=True):
        if choice.is_menu:
            chosen[choice.query] = decision
        else:
            funded[choice.query] = bool(decision)
    return FundedSet(funded, chosen)
