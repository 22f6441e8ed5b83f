"""The margin that expected accounting holds back, so that the real sum passes the budget no oftener than agreed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.errors import BudgetTooSmall
from clear_alloc.market import Market
from clear_alloc.plan import Grant, grant_of, spent_of

__all__ = ["deviation_of", "margin_of", "margin_within", "settled"]

_ROUGH_ROUNDS = 3  # the margin moves by a small part of what the pool moves
_ROUNDS = 12  # one or two settle it, unless single queries move the margin a lot
_CLOSE = 2e-3  # of the margin: less than that is not worth another round


def deviation_of(market: Market, grant: Grant) -> float:
    """Standard deviation of what a grant will cost in the end, budget units: queries are independent. O(n)."""
    smooth = market.smooth.charged.deviation(grant.caps)
    return float(np.sqrt((smooth**2).sum() + (market.menus.deviation_of(grant.chosen) ** 2).sum()))


def margin_within(margin: Array, room: Array) -> Array:
    """Margins, none of them more than what can be overrun at worst."""
    return np.maximum(np.minimum(margin, room), 0.0)


def margin_of(market: Market, grant: Grant, deviations: float) -> float:
    """Budget units to hold back: so many standard deviations, but no more than it can cost at worst. O(n)."""
    if deviations <= 0.0:
        return 0.0
    worst = market.smooth.charged.most(grant.caps).sum() + market.menus.most_of(grant.chosen).sum()
    return max(min(deviations * deviation_of(market, grant), float(worst) - spent_of(market, grant)), 0.0)


def settled(
    market: Market, pool: float, deviations: float, rule: Callable[[float], Grant], rough: Callable[[float], Grant]
) -> Grant:
    """The best grant of `rule` whose charge and margin fit the pool together.

    rule : what to do with a pool. rough : something like it that is faster, to find the neighbourhood of the margin.
    Raises BudgetTooSmall where the floors and their margin don't fit.
    """
    floors = grant_of(market, market.smooth.floor.copy(), market.menus.base.copy())
    if _left(market, floors, pool, deviations) < 0.0:
        raise BudgetTooSmall(
            market.tariff.unit * (market.total_floor + margin_of(market, floors, deviations)),
            market.tariff.unit * pool,
            "min_tokens and their margin",
            market.tariff.counted_in,
        )
    near = pool
    for _ in range(_ROUGH_ROUNDS):
        near = max(pool - margin_of(market, rough(near), deviations), market.total_floor)
    best, own, low, high = floors, near, market.total_floor, pool
    for _ in range(_ROUNDS):
        grant = rule(own)
        left = _left(market, grant, pool, deviations)
        needed = margin_of(market, grant, deviations)
        if left >= 0.0:
            best, low = max(best, grant, key=lambda g: g.utility), max(low, own)
        else:
            high = min(high, own)
        if (left >= 0.0 and (left <= _CLOSE * needed or own >= pool)) or high - low <= _CLOSE * needed:
            break
        # The margin moves by a small part of what the pool moves, unless single queries jump: then halve.
        own = pool - needed * (1.0 + 0.1 * _CLOSE)
        if not low < own < high:
            own = 0.5 * (low + high)
    return best


def _left(market: Market, grant: Grant, pool: float, deviations: float) -> float:
    return pool - spent_of(market, grant) - margin_of(market, grant, deviations)
