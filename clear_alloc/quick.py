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
from clear_alloc.market import Index, Market, SmoothSide
from clear_alloc.plan import Grant
from clear_alloc.price import Clearing
from clear_alloc.whole import NEARLY_WHOLE

__all__ = ["Certified", "quick_grant"]


class Certified(NamedTuple):
    """A grant, and the dual value at the clearing price, which no allocation exceeds."""

    grant: Grant
    dual_value: float


class _Rounded(NamedTuple):
    """Caps rounded down, what they and one more token are worth, and the highest surplus of each query, summed."""

    rows: Index
    caps: Array
    value: Array
    more: Array
    surplus: float


def quick_grant(market: Market, clearing: Clearing, crowd: Crowd, pool: float) -> Certified | None:
    """Everybody who wants tokens at the price, in whole tokens; None where one token each doesn't spend the pool.

    For reserved tokens that are charged as they are. O(n).
    """
    price, side = clearing.price, market.smooth
    funded, some = crowd.funded_doubtful(price)
    parts = [*crowd.sure, Part(crowd.doubtful.rows[:funded], some)]
    rounded = each(lambda part: _rounded(part, price), parts)
    caps = side.floor.copy()
    idle_value, idle_charge = _sums_of_floors(side, rounded)
    left = int(pool) - int(idle_charge) - sum(int(part.caps.sum()) for part in rounded)
    gain = np.concatenate([part.more - part.value for part in rounded])
    if not 0 <= left <= int(np.count_nonzero(gain > 0.0)):
        return None
    best = np.zeros(len(gain), dtype=bool)
    if left:
        best[np.argpartition(gain, len(gain) - left)[len(gain) - left :]] = True
    utility, first = idle_value, 0
    for part in rounded:
        lucky = best[first : first + len(part.caps)]
        caps[part.rows] = part.caps + lucky
        utility += float(np.where(lucky, part.more, part.value).sum())
        first += len(part.caps)
    bound = price * pool + sum(part.surplus for part in rounded) + idle_value - price * idle_charge
    return Certified(Grant(caps, market.menus.base, utility), bound)


def _rounded(part: Part, price: float) -> _Rounded:
    side = part.side
    caps = np.maximum(np.floor(side.wanted(price) + NEARLY_WHOLE), side.least)
    up = np.minimum(caps + 1.0, side.last_whole)
    value, more = side.curves.utility(caps), side.curves.utility(up)
    # Of caps within a few tokens no whole one may be worth its price: then the floor is best.
    surplus = np.maximum(value - price * caps, more - price * up)
    np.maximum(surplus, side.floor_value - price * side.floor, out=surplus)
    return _Rounded(part.rows, caps, value, more, float(surplus.sum()))


def _sums_of_floors(side: SmoothSide, funded: list[_Rounded]) -> tuple[float, float]:
    """Value and charge of the floors of all who are not funded."""
    if not nonzero_anywhere(side.floor):
        return 0.0, 0.0
    idle = np.ones(len(side), dtype=bool)
    for part in funded:
        idle[part.rows] = False
    return float(side.floor_value[idle].sum()), float(side.floor[idle].sum())
