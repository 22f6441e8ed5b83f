"""Why a query got what it got."""

from __future__ import annotations

from enum import Enum

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.support.types import Bool

__all__ = ["Reason", "reasons_of"]


class Reason(Enum):
    """Why a query got what it got; the value is the message."""

    FUNDED = "it is funded"
    WORTHLESS = "no cap that it may have is worth anything"
    TOO_DEAR = "even the whole budget would not pay for a cap that is worth its cost"
    PRICED_OUT = "its best value per budget unit is not above the price"
    CROWDED_OUT = "it would pay the price, but what was left was worth more elsewhere"
    NOT_CHOSEN = "the policy did not choose it"


def reasons_of(market: Market, pool: float | None, prices: Array, funded: Bool) -> list[Reason]:
    """The reason of each query. O(n).

    pool : budget units that could be charged, None where nothing was scarce. prices : (n,) at which each query buys,
    nan where a policy knows none.
    """
    entry = market.entry_prices
    codes = np.full(len(market), Reason.CROWDED_OUT, dtype=object)
    codes[entry <= prices] = Reason.PRICED_OUT
    if pool is not None:
        codes[market.cheapest_useful - market.least > pool - market.total_floor] = Reason.TOO_DEAR
    codes[entry <= 0.0] = Reason.WORTHLESS
    codes[np.isnan(prices)] = Reason.NOT_CHOSEN
    codes[funded] = Reason.FUNDED
    listed: list[Reason] = codes.tolist()
    return listed
