"""The best combination of finite choices under one budget or nested ones, by lists of undominated states.

A state is what some of the queries cost together and are worth; of two, the dearer that is worth no more is
dropped. Each option also has a loss: how far it falls short, at the prices of the relaxed problem, of its query's
best surplus. Losses add up to exactly what a complete choice falls short of the upper bound, so a state that has lost
more than the gap can't lead to anything better than what is known already. Nemhauser & Ullmann 1969 for the lists;
the reduction by reduced costs is that of the core problems of Balas & Zemel 1980.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.solver.primal.water_filling import Solution, evaluate

__all__ = ["ChoiceClass", "Knapsack", "applied", "best_choices", "choice_classes"]

Index = npt.NDArray[np.intp]
_Sources = tuple[tuple[Any, Index], ...]

_MOST_PAIRS = 200  # of states of two lists, put together at once, for each state that may be kept
MOST_STATES = 20_000  # kept per list; of more, those that have lost least
_MOST_SMOOTH = 512  # smooth curves; of more, what a better combination adds is not worth the search
_MOST_CAPS = 4_096  # of a smooth curve, tried one by one
_MOST_OPTIONS = 96  # of a smooth curve that may matter, where lists may be long
_MOST_WORK = 3e7  # pairs of states and options of smooth curves
_DEAR_ROW = 2_000  # pairs that are put together by sorting in the time of one empty pass over a table
_SLACK = 1e-12  # of a utility: what rounding may do to a sum


class ChoiceClass(NamedTuple):
    """The options of one query that may still matter, rising in charge and value: with their loss, each (k,)."""

    query: int
    charge: Array
    value: Array
    reduced_cost: Array
    decision: Index


@dataclass
class Knapsack:
    """Items and boxes under one budget.

    ceiling : budget units. least : utility it may not fall below. charge_rise, weight_rise : the multipliers of the
    two, so that unspent budget and utility above the least are losses as well.
    """

    ceiling: float
    least: float = -np.inf
    charge_rise: float = 0.0
    weight_rise: float = 0.0
    items: list[ChoiceClass] = field(default_factory=list)
    boxes: list[Knapsack] = field(default_factory=list)


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


def best_choices(box: Knapsack, gap: float, most: int = MOST_STATES) -> dict[int, int] | None:
    """Option of each query (its place in the item) in the best complete choice that loses at most `gap`, if any.

    Exact unless a list passes `most` states. O(states x options) per query.
    """
    states = _closed(box, gap, most)
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


def _closed(box: Knapsack, gap: float, most: int) -> _States:
    """All states of a box that fit it, its own losses included."""
    only = [item for item in box.items if len(item.charge) == 1]
    charge, value, reduced_cost = (np.array([sum(float(x[0]) for x in own)]) for own in _columns(only))
    states = _States(charge, value, reduced_cost, ())
    for inner in box.boxes:
        states = _crossed(states, _closed(inner, gap, most), box.ceiling, gap, most)
    # Few options first: lists stay short as long as they can.
    for item in sorted((item for item in box.items if len(item.charge) > 1), key=lambda item: len(item.charge)):
        options = _States(item.charge, item.value, item.reduced_cost, ((item.query, np.arange(len(item.charge))),))
        states = _crossed(states, options, box.ceiling, gap, most)
    reduced_cost = states.reduced_cost
    if box.charge_rise > 0.0:
        reduced_cost = reduced_cost + box.charge_rise * np.maximum(box.ceiling - states.charge, 0.0)
    if box.weight_rise > 0.0:
        reduced_cost = reduced_cost + box.weight_rise * np.maximum(states.value - box.least, 0.0)
    enough = states.value >= box.least * (1.0 - _SLACK) if box.least > 0.0 else np.full(len(reduced_cost), True)
    fits = states.charge <= box.ceiling
    return states._replace(reduced_cost=reduced_cost).kept(np.flatnonzero((reduced_cost <= gap) & enough & fits))


def _columns(items: list[ChoiceClass]) -> tuple[list[Array], list[Array], list[Array]]:
    return [item.charge for item in items], [item.value for item in items], [item.reduced_cost for item in items]


def _crossed(one: _States, other: _States, ceiling: float, gap: float, most: int) -> _States:
    """Every state of one list with every state of the other, without those that can't matter."""
    if len(one.charge) < len(other.charge):
        one, other = other, one
    pairs = len(one.charge) * len(other.charge)
    size = min(ceiling, float(one.charge.max(initial=0.0) + other.charge.max(initial=0.0)))
    if len(other.charge) * (_DEAR_ROW + size) < pairs and _whole(one.charge) and _whole(other.charge):
        left, right = _by_charge(one, other, int(size))
    else:
        left, right = _by_sorting(one, other, ceiling, gap, most * _MOST_PAIRS)
    reduced_cost = one.reduced_cost[left] + other.reduced_cost[right]
    good = np.flatnonzero(reduced_cost <= gap)
    if len(good) > most:
        good = good[np.argpartition(reduced_cost[good], most)[:most]]
    left, right = left[good], right[good]
    charge, value = one.charge[left] + other.charge[right], one.value[left] + other.value[right]
    return _States(charge, value, reduced_cost[good], ((one.sources, left), (other.sources, right)))


def _whole(charge: Array) -> bool:
    return bool((charge == np.floor(charge)).all())


def _by_sorting(one: _States, other: _States, ceiling: float, gap: float, pairs: int) -> tuple[Index, Index]:
    """Undominated pairs, out of at most so many."""
    if len(one.charge) * len(other.charge) > pairs:
        one_kept = _least_lost(one, pairs // min(len(other.charge), int(pairs**0.5)))
        other_kept = _least_lost(other, pairs // len(one_kept))
        left, right = _by_sorting(one.kept(one_kept), other.kept(other_kept), ceiling, gap, pairs)
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
    """The same by a table over whole charges 0..size, one pass per state of `other`."""
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


def choice_classes(market: Market, weight: Array, charge: Array, gap: float, room: Array) -> list[ChoiceClass] | None:
    """Every query's options that lose at most `gap` at its own multipliers, (n,) each; None if they are too many.

    room : (n,) budget units that one query may be charged at most. Query numbers are rows of the market. O(options),
    and of the caps that a smooth curve may have.
    """
    items: list[ChoiceClass] = []
    if len(market.smooth) > _MOST_SMOOTH:
        return None
    work = 0.0
    # Where charges aren't whole, lists are sorted, which takes a few times as long.
    lists = min(MOST_STATES, float(room.max(initial=0.0))) if market.tariff.plain else 3.0 * MOST_STATES
    for place, row in enumerate(market.smooth_rows.tolist()):
        own = market.smooth.rows(np.array([place]))
        last = max(float(own.cap_within(room[row : row + 1])[0]), float(own.least[0]))
        if last - own.least[0] > _MOST_CAPS:
            return None
        caps = np.union1d(own.floor, np.arange(own.least[0], last + 1.0))
        value, cost = own.curves.utility(caps[:, None])[:, 0], own.charge(caps[:, None])[:, 0]
        items.append(_item(row, caps.astype(np.intp), cost, value, weight[row], charge[row], gap))
        count = len(items[-1].charge)
        work += count * lists
        if count > _MOST_OPTIONS and work > _MOST_WORK:
            return None
    return items + _of_menus(market, weight[market.menu_rows], charge[market.menu_rows], gap)


def _of_menus(market: Market, weight: Array, charge: Array, gap: float) -> list[ChoiceClass]:
    """The same for the menu side: most queries have but one option left, and those are settled at once."""
    menus = market.menus
    free, none = menus.base < 0, np.zeros((len(menus), 1))
    cost = np.concatenate([np.where(free[:, None], none, np.inf), menus.costs], axis=1)
    value = np.concatenate([none, menus.values], axis=1)
    there = np.isfinite(cost)
    surplus = np.where(there, weight[:, None] * value - charge[:, None] * np.where(there, cost, 0.0), -np.inf)
    reduced_cost = surplus.max(axis=1, initial=-np.inf)[:, None] - surplus
    price_guess = reduced_cost <= gap
    first, count = price_guess.argmax(axis=1).tolist(), price_guess.sum(axis=1).tolist()
    decision, items = np.arange(-1, cost.shape[1] - 1), []
    for place, row in enumerate(market.menu_rows.tolist()):
        if count[place] > 1:
            own = np.flatnonzero(price_guess[place])
            items.append(
                _item(row, decision[own], cost[place, own], value[place, own], weight[place], charge[place], gap)
            )
        else:
            one = slice(first[place], first[place] + 1)
            items.append(
                ChoiceClass(row, cost[place, one], value[place, one], reduced_cost[place, one], decision[one])
            )
    return items


def _item(
    query: int, decision: Index, cost: Array, value: Array, weight: float, charge: float, gap: float
) -> ChoiceClass:
    surplus = weight * value - charge * cost
    reduced_cost = surplus.max() - surplus
    kept = np.flatnonzero(reduced_cost <= gap)
    kept = kept[np.lexsort((-value[kept], cost[kept]))]
    better = np.append(True, np.diff(np.maximum.accumulate(value[kept])) > 0)
    kept = kept[better]
    return ChoiceClass(query, cost[kept], value[kept], reduced_cost[kept], decision[kept])


def applied(market: Market, grant: Solution, items: list[ChoiceClass], places: dict[int, int]) -> Solution:
    """The grant with the chosen options of `items`."""
    caps, chosen = grant.caps.copy(), grant.chosen.copy()
    smooth = {row: place for place, row in enumerate(market.smooth_rows.tolist())}
    menus = {row: place for place, row in enumerate(market.menu_rows.tolist())}
    for item in items:
        decision = int(item.decision[places.get(item.query, 0)])
        if item.query in smooth:
            caps[smooth[item.query]] = decision
        else:
            chosen[menus[item.query]] = decision
    return evaluate(market, caps, chosen)
