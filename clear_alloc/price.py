"""The clearing price: the lowest price seen at which the queries' total demand fits the budget."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np

from clear_alloc.market import Market
from clear_alloc.roots import COARSE, falling_root

__all__ = ["Clearing", "Status", "clearing_price"]

SAMPLE_FROM = 20_000  # queries; from here on a sample finds the neighbourhood of the price
_SAMPLE = 4_096
_SAMPLE_ERROR = 0.01  # of the price, a usual distance between the sample's price and the whole's
_SAMPLE_MARGIN = 0.1  # of the price: below the sample's price by this much, the whole is sure to want too much


class Status(Enum):
    """How the price was found; the value is the message."""

    EMPTY = "there are no queries"
    SLACK = "the budget covers every query's full demand; the price is zero"
    PRICED = "the price was given; every query takes what is worth it"
    CLEARED = "demand fits the budget at the price and exceeds it just below"


class Clearing(NamedTuple):
    """A price (value/token) and its bracket: demand exceeds the budget at `low` and fits it at `price`.

    The two are neighbours on the grid of `roots`, 2**-40 of the price apart; both are 0 when the budget is slack.
    """

    price: float
    low: float
    evaluations: int
    status: Status


def clearing_price(market: Market, budget: float, near: float = 0.0) -> Clearing:
    """Lowest price on the grid at which total demand fits `budget`, budget units.

    near : a guess of the price, 0 for none; it saves time and never changes the answer.

    The floors must fit the budget. Never rises when the budget does. O(n) per evaluation, about log2(n) + 10 of
    them. Wan et al. 2026 for the market; demand may have no root at the budget (its curves are not concave), so
    the search ends on the width of the bracket.
    """
    if not len(market):
        return Clearing(0.0, 0.0, 0, Status.EMPTY)
    if market.total_demand(0.0) <= budget:
        return Clearing(0.0, 0.0, 1, Status.SLACK)
    if not near and len(market) > SAMPLE_FROM:
        near = _sampled_price(market, budget)
    demand = market.demand_above(near * (1.0 - _SAMPLE_MARGIN))
    bracket = falling_root(demand, budget, market.highest_price, market.jump_prices, near, _SAMPLE_ERROR)
    return Clearing(bracket.high, bracket.low, bracket.evaluations + 1, Status.CLEARED)


def _sampled_price(market: Market, budget: float) -> float:
    """About the price at which every k-th query would clear its share of the budget; 0.0 if that says nothing."""
    side = market.smooth
    rows = np.arange(0, len(side), max(len(side) // _SAMPLE, 1))
    if not len(rows):
        return 0.0
    sample = side.rows(rows)
    share = (budget - float(market.menus.base_charge.sum())) * len(rows) / len(side)

    def wanted(price: float) -> float:
        return float(sample.charge(sample.demand(price)).sum())

    high = float(sample.entry_price.max())
    if len(market.menus) or high <= 0.0 or not wanted(0.0) > share >= wanted(high):
        return 0.0
    return falling_root(wanted, share, high, np.sort(sample.entry_price[sample.jumps]), drop=COARSE).high
