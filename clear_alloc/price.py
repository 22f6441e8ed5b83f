"""The clearing price: the lowest price seen at which the queries' total demand fits the budget."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from clear_alloc.market import Market
from clear_alloc.roots import falling_root

__all__ = ["Clearing", "Status", "clearing_price"]


class Status(Enum):
    """How the price was found; the value is the message."""

    EMPTY = "there are no queries"
    SLACK = "the budget covers every query's full demand; the price is zero"
    CLEARED = "demand fits the budget at the price and exceeds it just below"


class Clearing(NamedTuple):
    """A price (value/token) and its bracket: demand exceeds the budget at `low` and fits it at `price`.

    The two are neighbours on the grid of `roots`, 2**-40 of the price apart; both are 0 when the budget is slack.
    """

    price: float
    low: float
    evaluations: int
    status: Status


def clearing_price(market: Market, budget: float) -> Clearing:
    """Lowest price on the grid at which total demand fits `budget`, token.

    The floors must fit the budget. Never rises when the budget does. O(n) per evaluation, about log2(n) + 10 of
    them. Wan et al. 2026 for the market; demand may have no root at the budget (its curves are not concave), so
    the search ends on the width of the bracket.
    """
    if not len(market):
        return Clearing(0.0, 0.0, 0, Status.EMPTY)
    if market.total_demand(0.0) <= budget:
        return Clearing(0.0, 0.0, 1, Status.SLACK)
    bracket = falling_root(market.total_demand, budget, market.highest_price, market.jump_prices)
    return Clearing(bracket.high, bracket.low, bracket.evaluations + 1, Status.CLEARED)
