"""Whole caps for a crowd in one more pass over who is funded, and the certificate with them.

Caps are rounded down from the demand at the clearing price, and the tokens that are left go one each to where they
are worth most. What comes out is used only if its own certificate shows that nothing better is to be had.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.blocks import each
from clear_alloc.crowd import Crowd, Part
from clear_alloc.curves import Array
from clear_alloc.curves.columns import nonzero_anywhere
from clear_alloc.market import Bool, Index, Market, SmoothSide
from clear_alloc.plan import Grant
from clear_alloc.price import Clearing
from clear_alloc.whole import NEARLY_WHOLE

__all__ = ["Certified", "quick_grant"]


class Certified(NamedTuple):
    """A grant, and the dual value at the clearing price, which no allocation exceeds."""

    grant: Grant
    dual_value: float


class _Rounded(NamedTuple):
    """Caps rounded down, what one more token would add to each, and sums: tokens, value and highest surplus."""

    rows: Index
    caps: Array
    gain: Array
    spent: int
    value: float
    surplus: float


def quick_grant(market: Market, clearing: Clearing, crowd: Crowd, pool: float) -> Certified | None:
    """Everybody who wants tokens at the price, in whole tokens; None where one token each doesn't spend the pool.

    For reserved tokens that are charged as they are. O(n).
    """
    price, side = clearing.price, market.smooth
    rounded = each(lambda part: _rounded(part, price), crowd.funded(price))
    idle_value, idle_charge = _sums_of_floors(side, rounded)
    left = int(pool) - int(idle_charge) - sum(part.spent for part in rounded)
    gain = np.concatenate([part.gain for part in rounded])
    if not 0 <= left <= int(np.count_nonzero(gain > 0.0)):
        return None
    lucky = _largest(gain, left)
    utility = idle_value + sum(part.value for part in rounded) + float((gain * lucky).sum())
    caps = side.floor.copy() if nonzero_anywhere(side.floor) else np.zeros(len(side))
    first = 0
    for part in rounded:
        caps[part.rows] = part.caps + lucky[first : first + len(part.caps)]
        first += len(part.caps)
    bound = price * pool + sum(part.surplus for part in rounded) + idle_value - price * idle_charge
    return Certified(Grant(caps, market.menus.base, utility), bound)


def _largest(gain: Array, count: int) -> Bool:
    """Marks the `count` largest, of equals the first."""
    if not count:
        return np.zeros(len(gain), dtype=bool)
    last = np.partition(gain, len(gain) - count)[len(gain) - count]
    marked: Bool = gain > last
    equals = (gain == last).nonzero()[0]
    marked[equals[: count - int(np.count_nonzero(marked))]] = True
    return marked


def _rounded(part: Part, price: float) -> _Rounded:
    side = part.side
    wanted = side.wanted(price) if part.wanted is None else part.wanted
    caps = np.floor(wanted + NEARLY_WHOLE)
    np.maximum(caps, side.least, out=caps)
    up = np.minimum(caps + 1.0, side.last_whole)
    value, more = side.curves.utility(caps), side.curves.utility(up)
    # Of caps within a few tokens no whole one may be worth its price: then the floor is best.
    surplus = np.maximum(value - price * caps, more - price * up)
    np.maximum(surplus, side.floor_value - price * side.floor, out=surplus)
    return _Rounded(
        part.rows, caps, np.subtract(more, value, out=more), int(caps.sum()), float(value.sum()), float(surplus.sum())
    )


def _sums_of_floors(side: SmoothSide, funded: list[_Rounded]) -> tuple[float, float]:
    """Value and charge of the floors of all who are not funded."""
    if not nonzero_anywhere(side.floor):
        return 0.0, 0.0
    idle = np.ones(len(side), dtype=bool)
    for part in funded:
        idle[part.rows] = False
    return float(side.floor_value[idle].sum()), float(side.floor[idle].sum())
