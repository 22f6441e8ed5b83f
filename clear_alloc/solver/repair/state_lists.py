"""The best combination of finite choices under one budget or nested ones, by lists of undominated states.

A state is what some of the queries cost together and are worth; of two, the dearer that is worth no more is
dropped. Each option also has a loss: how far it falls short, at the prices of the relaxed problem, of its query's
best surplus. Losses add up to exactly what a complete choice falls short of the upper bound. So a state that has
lost more than the gap can't lead to anything better than what is known already. Nemhauser & Ullmann 1969 for the
lists; the reduction by reduced costs is that of the core problems of Balas & Zemel 1980.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.errors import TooLarge
from clear_alloc.market.demand import MOST_STATES, ChoiceClass
from clear_alloc.market.market import Market
from clear_alloc.solver.primal.solution import Solution, evaluate
from clear_alloc.support.types import Index

__all__ = ["Knapsack", "applied", "best_choices", "choice_classes"]

_Sources = tuple[tuple[Any, Index], ...]

_MOST_PAIRS = 200  # of states of two lists, put together at once, for each state that may be kept
_DEAR_ROW = 2_000  # pairs that are put together by sorting in the time of one empty pass over a table
_SLACK = 1e-12  # of a utility: what rounding may do to a sum


@dataclass
class Knapsack:
    """Choice classes and knapsacks under one budget.

    ceiling : budget units. least : utility it may not fall below. charge_rise, weight_rise : the multipliers of the
    two, so that unspent budget and utility above the least are losses as well.
    """

    ceiling: float
    least: float = -np.inf
    charge_rise: float = 0.0
    weight_rise: float = 0.0
    classes: list[ChoiceClass] = field(default_factory=list)
    inner: list[Knapsack] = field(default_factory=list)


class _Limit(NamedTuple):
    """How many states a list may keep, and whether to pass that is an error."""

    states: int
    exact: bool

    def passed(self, states: int) -> None:
        if self.exact:
            raise TooLarge(states, self.states, "use ca.allocate, whose gap bounds its distance to the optimum")


class _States(NamedTuple):
    """Cost, worth and loss of each state (m,), and where it comes from.

    sources : pairs of an older list, or the query whose options they are, with the place of each state there, (m,).
    """

    charge: Array
    value: Array
    reduced_cost: Array
    sources: _Sources

    def kept(self, places: Index) -> _States:
        """Some of the states."""
        sources = tuple((source, own[places]) for source, own in self.sources)
        return _States(self.charge[places], self.value[places], self.reduced_cost[places], sources)


def best_choices(
    knapsack: Knapsack, gap: float, most: int = MOST_STATES, *, exact: bool = False
) -> dict[int, int] | None:
    """Option of each query (its place in the class) in the best complete choice that loses at most `gap`, if any.

    Exact unless a list passes `most` states; with `exact` that is TooLarge. O(states x options) per query.
    """
    states = _closed(knapsack, gap, _Limit(most, exact))
    if not len(states.charge):
        return None
    found: dict[int, int] = {}
    waiting = [(states.sources, int(states.value.argmax()))]
    while waiting:
        sources, state = waiting.pop()
        for source, places in sources:
            if isinstance(source, tuple):
                waiting.append((source, int(places[state])))
            else:
                found[source] = int(places[state])
    return found


def _closed(knapsack: Knapsack, gap: float, limit: _Limit) -> _States:
    """All states of a knapsack that fit it, its own losses included."""
    only = [one for one in knapsack.classes if len(one.charge) == 1]
    charge, value, reduced_cost = (np.array([sum(float(x[0]) for x in own)]) for own in _columns(only))
    states = _States(charge, value, reduced_cost, ())
    for nested in knapsack.inner:
        states = _crossed(states, _closed(nested, gap, limit), knapsack.ceiling, gap, limit)
    # Few options first: lists stay short as long as they can.
    for one in sorted((one for one in knapsack.classes if len(one.charge) > 1), key=lambda one: len(one.charge)):
        options = _States(one.charge, one.value, one.reduced_cost, ((one.query, np.arange(len(one.charge))),))
        states = _crossed(states, options, knapsack.ceiling, gap, limit)
    reduced_cost = states.reduced_cost
    if knapsack.charge_rise > 0.0:
        reduced_cost = reduced_cost + knapsack.charge_rise * np.maximum(knapsack.ceiling - states.charge, 0.0)
    if knapsack.weight_rise > 0.0:
        reduced_cost = reduced_cost + knapsack.weight_rise * np.maximum(states.value - knapsack.least, 0.0)
    enough = (
        states.value >= knapsack.least * (1.0 - _SLACK) if knapsack.least > 0.0 else np.full(len(reduced_cost), True)
    )
    fits = states.charge <= knapsack.ceiling
    return states._replace(reduced_cost=reduced_cost).kept(np.flatnonzero((reduced_cost <= gap) & enough & fits))


def _columns(classes: list[ChoiceClass]) -> tuple[list[Array], list[Array], list[Array]]:
    return [one.charge for one in classes], [one.value for one in classes], [one.reduced_cost for one in classes]


def _crossed(one: _States, other: _States, ceiling: float, gap: float, limit: _Limit) -> _States:
    """Every state of one list with every state of the other, without those that can't matter."""
    if len(one.charge) < len(other.charge):
        one, other = other, one
    pairs = len(one.charge) * len(other.charge)
    size = min(ceiling, float(one.charge.max(initial=0.0) + other.charge.max(initial=0.0)))
    if len(other.charge) * (_DEAR_ROW + size) < pairs and _whole(one.charge) and _whole(other.charge):
        left, right = _by_charge(one, other, int(size))
    else:
        left, right = _by_sorting(one, other, ceiling, gap, limit)
    reduced_cost = one.reduced_cost[left] + other.reduced_cost[right]
    good = np.flatnonzero(reduced_cost <= gap)
    if len(good) > limit.states:
        limit.passed(len(good))
        good = good[np.argpartition(reduced_cost[good], limit.states)[: limit.states]]
    left, right = left[good], right[good]
    charge, value = one.charge[left] + other.charge[right], one.value[left] + other.value[right]
    return _States(charge, value, reduced_cost[good], ((one.sources, left), (other.sources, right)))


def _whole(charge: Array) -> bool:
    return bool((charge == np.floor(charge)).all())


def _by_sorting(one: _States, other: _States, ceiling: float, gap: float, limit: _Limit) -> tuple[Index, Index]:
    """Undominated pairs, out of at most so many."""
    pairs = limit.states * _MOST_PAIRS
    if len(one.charge) * len(other.charge) > pairs:
        limit.passed(len(one.charge) * len(other.charge))
        one_kept = _least_lost(one, pairs // min(len(other.charge), int(pairs**0.5)))
        other_kept = _least_lost(other, pairs // len(one_kept))
        left, right = _by_sorting(one.kept(one_kept), other.kept(other_kept), ceiling, gap, limit)
        return one_kept[left], other_kept[right]
    charge = (one.charge[:, None] + other.charge).ravel()
    reduced_cost = (one.reduced_cost[:, None] + other.reduced_cost).ravel()
    good = np.flatnonzero((charge <= ceiling) & (reduced_cost <= gap))
    if not len(good):
        return good, good
    value = (one.value[:, None] + other.value).ravel()[good]
    order = np.lexsort((-value, charge[good]))
    best = np.maximum.accumulate(value[order])
    left, right = np.divmod(good[order[np.append(True, best[1:] > best[:-1])]], len(other.charge))
    return left, right


def _least_lost(states: _States, most: int) -> Index:
    return (
        np.argpartition(states.reduced_cost, most)[:most]
        if len(states.reduced_cost) > most
        else np.arange(len(states.reduced_cost))
    )


def _by_charge(one: _States, other: _States, size: int) -> tuple[Index, Index]:
    """Undominated sums of two lists by a table over whole charges 0..size, one pass per state of `other`."""
    worth, place = np.full(size + 1, -np.inf), np.zeros(size + 1, dtype=np.intp)
    fits = np.flatnonzero(one.charge <= size)
    whole = one.charge[fits].astype(np.intp)
    worth[whole], place[whole] = one.value[fits], fits
    best, left, right = np.full(size + 1, -np.inf), place.copy(), np.zeros(size + 1, dtype=np.intp)
    for row, (charge, value) in enumerate(zip(other.charge.tolist(), other.value.tolist(), strict=True)):
        own = int(charge)
        if own > size:
            continue
        total = worth[: size + 1 - own] + value
        better = np.flatnonzero(total > best[own:])
        best[own + better], left[own + better], right[own + better] = total[better], place[better], row
    highest = np.maximum.accumulate(best)
    leads = np.flatnonzero(highest > np.append(-np.inf, highest[:-1]))
    return left[leads], right[leads]


def choice_classes(market: Market, weight: Array, charge: Array, gap: float, room: Array) -> list[ChoiceClass]:
    """Every query's decisions that lose at most `gap` at its own multipliers, (n,) each; TooLarge if too many.

    room : (n,) budget units that one query may be charged at most. Query numbers are rows of the market. O(options),
    and of the caps that a smooth curve may have.
    """
    found: list[ChoiceClass] = []
    for k, (demand, rows) in enumerate(zip(market.demands, market.rows, strict=True)):
        weights, charges, rooms = (market.gather(column, k) for column in (weight, charge, room))
        classes = demand.choice_classes(weights, charges, gap, rooms)
        found += [one._replace(query=row) for one, row in zip(classes, rows.tolist(), strict=True)]
    return found


def applied(market: Market, solution: Solution, classes: list[ChoiceClass], chosen: dict[int, int]) -> Solution:
    """The solution with the chosen decisions of `classes`; of a class that isn't chosen from, its first."""
    decisions = tuple(column.copy() for column in solution.decisions)
    place = {row: (k, query) for k, rows in enumerate(market.rows) for query, row in enumerate(rows.tolist())}
    for one in classes:
        k, query = place[one.query]
        decisions[k][query] = one.decision[chosen.get(one.query, 0)]
    return evaluate(market, decisions)
