"""Whole caps for a window in one more pass over the funded queries, and the certificate with them.

Caps are rounded down from the demand at the clearing price. The tokens that remain go one each to where they are
worth most. What comes out is used only if its own certificate shows that nothing better is to be had.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.columns.constant import any_nonzero
from clear_alloc.curves import Array
from clear_alloc.market.smooth_demand import SmoothDemand
from clear_alloc.solver.pricing.bracket import COARSE, bracket_decreasing
from clear_alloc.solver.pricing.clearing import Clearing
from clear_alloc.solver.pricing.sampled import Part, PriceWindow
from clear_alloc.solver.primal.rounding import NEARLY_WHOLE
from clear_alloc.solver.primal.solution import Solution
from clear_alloc.support.parallel import each
from clear_alloc.support.types import Bool, Index

__all__ = ["Certified", "sampled_solution"]

_LIKELY = 1e-5  # of the price: what a jump's worth of tokens moves it by


class Certified(NamedTuple):
    """A solution, and the dual value at the clearing price, which no allocation exceeds."""

    solution: Solution
    dual_value: float


class _Rounded(NamedTuple):
    """Caps rounded down, what one more token would add to each and cost, and sums: charge, value, highest surplus."""

    rows: Index
    caps: Array
    gain: Array
    cost: Array | None
    charge: float
    value: float
    surplus: float


def sampled_solution(clearing: Clearing, window: PriceWindow, pool: float) -> Certified | None:
    """Whole caps of every query that wants tokens at the price; None where they don't fit the pool.

    cost of `_Rounded` is None where tokens are charged as they are. O(n), and O(n log n) where they are not.
    """
    side, price, parts = window.side, clearing.price, window.funded(clearing.price)
    rounded = each(lambda part: _rounded(part, price), parts)
    resting_value, resting_charge = _sums_of_floors(side, rounded)
    bound = price * pool + sum(part.surplus for part in rounded) + resting_value - price * resting_charge
    increment_mask = _increment_mask(side, rounded, pool - resting_charge)
    if increment_mask is None:
        parts = _with_leftovers(parts, price, pool - resting_charge)
        rounded = each(lambda part: _rounded(part, price), parts)
        increment_mask = _increment_mask(side, rounded, pool - resting_charge)
    if increment_mask is None:
        return None
    value, caps, first = resting_value, side.floor.copy() if any_nonzero(side.floor) else np.zeros(len(side)), 0
    for part in rounded:
        one_more = increment_mask[first : first + len(part.caps)]
        caps[part.rows] = part.caps + one_more
        value += part.value + float((part.gain * one_more).sum())
        first += len(part.caps)
    return Certified(Solution((caps,), value), bound)


def _increment_mask(side: SmoothDemand, rounded: list[_Rounded], pool: float) -> Bool | None:
    """Which queries get one more token; None where that leaves a part of the pool, or caps don't fit it."""
    left = pool - sum(part.charge for part in rounded)
    gain = np.concatenate([part.gain for part in rounded])
    if side.plain:
        return _top_k_mask(gain, int(left)) if 0.0 <= left <= np.count_nonzero(gain > 0.0) else None
    cost = np.concatenate([part.cost for part in rounded if part.cost is not None])
    return _greedy_by_ratio(gain, cost, left) if 0.0 <= left < float(cost[gain > 0.0].sum()) else None


def _with_leftovers(parts: list[Part], price: float, pool: float) -> list[Part]:
    """The parts, with what their queries want at the price at which they alone want the whole pool."""

    def total(at: float) -> float:
        return sum(each(lambda part: float(part.side.charge(part.side.demand_if_funded(at)).sum()), parts))

    if total(0.0) <= pool:
        return parts
    own = bracket_decreasing(
        total, pool, price, price_guess=price * (1.0 - _LIKELY), guess_rtol=_LIKELY, drop=COARSE
    ).high
    return [part._replace(wanted=None if own == price else part.side.demand_if_funded(own)) for part in parts]


def _top_k_mask(gain: Array, count: int) -> Bool:
    """Marks the `count` largest, of equals the first."""
    if not count:
        return np.zeros(len(gain), dtype=bool)
    last = np.partition(gain, len(gain) - count)[len(gain) - count]
    marked: Bool = gain > last
    equals = (gain == last).nonzero()[0]
    marked[equals[: count - int(np.count_nonzero(marked))]] = True
    return marked


def _greedy_by_ratio(gain: Array, cost: Array, left: float) -> Bool:
    """Marks what is worth most per budget unit, as far as `left` pays for it."""
    worth = (gain > 0.0).nonzero()[0]
    with np.errstate(divide="ignore"):
        worth = worth[np.argsort(-gain[worth] / cost[worth])]
    marked = np.zeros(len(gain), dtype=bool)
    marked[worth[: int(np.searchsorted(np.cumsum(cost[worth]), left, side="right"))]] = True
    return marked


def _rounded(part: Part, price: float) -> _Rounded:
    side = part.side
    wanted = side.demand_if_funded(price) if part.wanted is None else part.wanted
    caps = np.floor(wanted + NEARLY_WHOLE)
    np.maximum(caps, side.least, out=caps)
    up = np.minimum(caps + 1.0, side.last_whole)
    value, more = side.curves.utility(caps), side.curves.utility(up)
    charge, dearer = side.charge(caps), side.charge(up)
    # Of caps within a few tokens no whole one may be worth its price: then the floor is best.
    surplus = np.maximum(value - price * charge, more - price * dearer)
    np.maximum(surplus, side.floor_value - price * side.floor_charge, out=surplus)
    cost = None if side.plain else dearer - charge
    gain = np.subtract(more, value, out=more)
    return _Rounded(part.rows, caps, gain, cost, float(charge.sum()), float(value.sum()), float(surplus.sum()))


def _sums_of_floors(side: SmoothDemand, funded: list[_Rounded]) -> tuple[float, float]:
    """Value and charge of the floors of all queries that are not funded."""
    if not any_nonzero(side.floor):
        return 0.0, 0.0
    extramarginal = np.ones(len(side), dtype=bool)
    for part in funded:
        extramarginal[part.rows] = False
    return float(side.floor_value[extramarginal].sum()), float(side.floor_charge[extramarginal].sum())
