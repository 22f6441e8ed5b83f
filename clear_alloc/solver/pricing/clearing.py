"""The clearing price: the lowest price seen at which the queries' total demand fits the budget."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np

from clear_alloc.market.market import Market
from clear_alloc.solver.pricing.bracket import Bracket, bracket_decreasing
from clear_alloc.solver.pricing.sampled import SAMPLED_FROM, sampled_clearing

__all__ = ["Clearing", "Status", "cleared", "clearing_price", "full_clearing"]

_NEAR_ERROR = 0.01  # of the price: how far a guess usually is from it
_NEAR_MARGIN = 0.1  # of the price: below a guess by this much every query is asked


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


def clearing_price(market: Market, budget: float, price_guess: float = 0.0) -> Clearing:
    """Lowest price on the grid at which total demand fits `budget`, budget units.

    price_guess : a guess of the price, 0 for none; it saves time and never changes the answer.

    The floors must fit the budget. Never rises when the budget does. O(n) per evaluation, about log2(n) + 10 of
    them. Wan et al. 2026 for the market; demand may have no root at the budget (its curves are not concave), so
    the search ends on the width of the bracket.
    """
    if not len(market):
        return Clearing(0.0, 0.0, 0, Status.EMPTY)
    if len(market) > SAMPLED_FROM:
        found = sampled_clearing(market, budget, price_guess)
        if found is not None:
            return cleared(found[0])
    return full_clearing(market, budget, price_guess)


def full_clearing(market: Market, budget: float, price_guess: float = 0.0) -> Clearing:
    """The clearing price by a search over all queries. O(n) per evaluation, O(n log n) for the breakpoints."""
    if market.total_demand(0.0) <= budget:
        return Clearing(0.0, 0.0, 1, Status.SLACK)
    error = _NEAR_ERROR
    if len(market) == 1 and market.divisible is not None and market.plain:
        # One query alone takes the whole budget, at the value of its last token.
        price_guess, error = float(market.divisible.curves.marginal(np.array([budget]))[0]), 0.0
    demand = market.demand_above(price_guess * (1.0 - _NEAR_MARGIN))
    bracket = bracket_decreasing(demand, budget, market.highest_price, market.breakpoint_prices, price_guess, error)
    return cleared(bracket._replace(evaluations=bracket.evaluations + 1))


def cleared(bracket: Bracket) -> Clearing:
    """The clearing price that a search has found."""
    return Clearing(bracket.high, bracket.low, bracket.evaluations, Status.CLEARED)
