"""The best combination of finite choices under one budget or nested ones, by lists of undominated states.

A state is what some of the queries cost together and are worth; of two, the dearer that is worth no more is
dropped. Each option also has a loss: how far it falls short, at the prices of the relaxed problem, of its query's best surplus.
Losses add up to exactly what a complete choice falls short of the upper bound, so a state that has lost more than the
gap can't lead to anything better than what is known already. Nemhauser & Ullmann 1969 for the lists; the reduction by
reduced costs is that of the core problems of Balas & Zemel 1980.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array
from clear_alloc.market import Market
from clear_alloc.plan import Grant, grant_of

__all__ = ["Box", "Item", "applied", "best_combination", "items_of"]

Index = npt.NDArray[np.intp]

_MOST_PAIRS = 4_000_000  # of states of two lists, put together at once
MOST_STATES = 20_000  # kept per list; of more, those that have lost least
_MOST_CAPS = 4_096  # of a smooth curve, tried one by one
_MOST_OPTIONS = 96  # of a smooth curve that may matter
_SLACK = 1e-12  # of the largest number in sight: what rounding may do to a sum


class Item(NamedTuple):
    """The options of one query that may still matter: charge, value and loss, each of shape (k,)."""

    query: int
    charge: Array
    value: Array
    loss: Array
    decision: Index


@dataclass
class Box:
    """Items and boxes under one budget.

    ceiling : budget units. least : utility it may not fall below. charge_rise, weight_rise : the multipliers of the
    two, so that unspent budget and utility above the least are losses as well. slack : losses of the items that were
    settled beforehand, with what those cost and are worth.
    """

    ceiling: float
    least: float = -np.inf
    charge_rise: float = 0.0
    weight_rise: float = 0.0
    settled_charge: float = 0.0
    settled_value: float = 0.0
    items: list[Item] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)


class _States(NamedTuple):
    """Cost, worth and loss of each state (m,), and the picks that lead there, (m, queries settled so far)."""

    charge: Array
    value: Array
    loss: Array
    picks: npt.NDArray[np.int16]
    queries: tuple[int, ...]


def best_combination(box: Box, gap: float) -> dict[int, int] | None:
    """Option of each query (its place in the item) in the best complete choice that loses at most `gap`, if any.

    Exact unless a list passes MOST_STATES. O(states x options) per query.
    """
    states = _closed(box, gap)
    if not len(states.charge):
        return None
    best = int(states.value.argmax())
    return dict(zip(states.queries, states.picks[best].tolist(), strict=True))


def _closed(box: Box, gap: float) -> _States:
    """All states of a box that fit it, its own losses included."""
    states = _States(
        np.array([box.settled_charge]),
        np.array([box.settled_value]),
        np.zeros(1),
        np.empty((1, 0), dtype=np.int16),
        (),
    )
    for inner in box.boxes:
        states = _crossed(states, _closed(inner, gap), box.ceiling, gap)
    # Few options first: lists stay short as long as they can.
    for item in sorted(box.items, key=lambda item: len(item.charge)):
        options = _States(
            item.charge, item.value, item.loss, np.arange(len(item.charge), dtype=np.int16)[:, None], (item.query,)
        )
        states = _crossed(states, options, box.ceiling, gap)
    loss = states.loss
    if box.charge_rise > 0.0:
        loss = loss + box.charge_rise * np.maximum(box.ceiling - states.charge, 0.0)
    if box.weight_rise > 0.0:
        loss = loss + box.weight_rise * np.maximum(states.value - box.least, 0.0)
    enough = (
        states.value >= box.least - _SLACK * abs(box.least) if np.isfinite(box.least) else np.full(len(loss), True)
    )
    kept = np.flatnonzero((loss <= gap) & enough)
    return _States(states.charge[kept], states.value[kept], loss[kept], states.picks[kept], states.queries)


def _fewer(states: _States) -> _States:
    most = int(_MOST_PAIRS**0.5)
    if len(states.charge) <= most:
        return states
    kept = np.argpartition(states.loss, most)[:most]
    return _States(states.charge[kept], states.value[kept], states.loss[kept], states.picks[kept], states.queries)


def _crossed(one: _States, other: _States, ceiling: float, gap: float) -> _States:
    """Every state of one list with every state of the other, without those that can't matter."""
    if len(one.charge) * len(other.charge) > _MOST_PAIRS:
        one, other = _fewer(one), _fewer(other)
    charge = (one.charge[:, None] + other.charge).ravel()
    loss = (one.loss[:, None] + other.loss).ravel()
    good = np.flatnonzero((charge <= ceiling) & (loss <= gap))
    value = (one.value[:, None] + other.value).ravel()[good]
    charge, loss = charge[good], loss[good]
    order = np.lexsort((-value, charge))
    best = np.maximum.accumulate(value[order])
    order = order[np.append(True, best[1:] > best[:-1])] if len(order) else order
    if len(order) > MOST_STATES:
        order = order[np.argpartition(loss[order], MOST_STATES)[:MOST_STATES]]
    left, right = np.divmod(good[order], len(other.charge)) if len(other.charge) else (order, order)
    picks = np.column_stack([one.picks[left], other.picks[right]])
    return _States(charge[order], value[order], loss[order], picks, one.queries + other.queries)


def items_of(market: Market, weight: Array, charge: Array, gap: float) -> list[Item] | None:
    """Every query's options that lose at most `gap` at its own multipliers, (n,) each; None if they are too many.

    Query numbers are rows of the market. O(options), and of the caps that a smooth curve may have.
    """
    menus, items = market.menus, []
    for place, row in enumerate(market.menu_rows.tolist()):
        options = np.flatnonzero(np.isfinite(menus.costs[place]))
        cost, value = menus.costs[place, options], menus.values[place, options]
        if menus.base[place] < 0:
            options, cost, value = np.append(-1, options), np.append(0.0, cost), np.append(0.0, value)
        items.append(_item(row, options, cost, value, weight[row], charge[row], gap))
    for place, row in enumerate(market.smooth_rows.tolist()):
        own = market.smooth.rows(np.array([place]))
        if own.last_whole[0] - own.least[0] > _MOST_CAPS:
            return None
        caps = np.union1d(own.floor, np.arange(own.least[0], own.last_whole[0] + 1.0))
        value, cost = own.curves.utility(caps[:, None])[:, 0], own.charge(caps[:, None])[:, 0]
        items.append(_item(row, caps.astype(np.intp), cost, value, weight[row], charge[row], gap))
        if len(items[-1].charge) > _MOST_OPTIONS:
            return None
    return items


def _item(query: int, decision: Index, cost: Array, value: Array, weight: float, charge: float, gap: float) -> Item:
    surplus = weight * value - charge * cost
    loss = surplus.max() - surplus
    kept = np.flatnonzero(loss <= gap)
    kept = kept[np.lexsort((-value[kept], cost[kept]))]
    better = np.append(True, np.diff(np.maximum.accumulate(value[kept])) > 0)
    kept = kept[better]
    return Item(query, cost[kept], value[kept], loss[kept], decision[kept])


def applied(market: Market, grant: Grant, items: list[Item], places: dict[int, int]) -> Grant:
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
    return grant_of(market, caps, chosen)
