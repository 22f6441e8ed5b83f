"""So many queries that single ones hardly count: their clearing price in a handful of passes over those that matter.

A sample tells the price to a percent. Queries funded beyond that doubt are gathered once, in blocks; those that may
or may not be are sorted by entry price. A few passes then tell how demand runs along the price, jump by jump, and
two more show that the answer is right. It is the answer that a search over all queries gives.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from clear_alloc.columns.constant import any_nonzero, take_rows
from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.market.smooth_demand import SmoothDemand
from clear_alloc.solver.pricing.bracket import ROUGH, Bracket, bracket_decreasing, bracket_from_guess
from clear_alloc.support.parallel import each, each_block
from clear_alloc.support.types import Index

__all__ = ["SAMPLED_FROM", "PriceWindow", "sampled_clearing"]

SAMPLED_FROM = 20_000  # queries; from here on a sample finds the neighbourhood of the price
_FINER = 2**28  # fine units per coarse one: up to 2**25 remainders add up without rounding
_SAMPLE = 16_384
_COARSER = 8  # every so manieth of the sample finds its price roughly
_DOUBTS = (0.02, 0.2)  # of the sample's price: how far the price of all may be from it; the second if the first fails
_PASSES = 3  # before the price is proven


class Part(NamedTuple):
    """Queries that stand together. rows : of the caller's order. wanted : at a price, where that is known."""

    rows: Index
    side: SmoothDemand
    wanted: Array | None = None


class PriceWindow:
    """Smooth curves alone, for prices in (low, high).

    inframarginal : parts whose queries are funded at every such price. marginal : the others that may be, in order of
    falling entry price.
    """

    def __init__(self, side: SmoothDemand, low: float, high: float, pool: float):
        self.side, self.low, self.high = side, low, high
        self._pool, self._known = pool, (-1.0, [np.empty(0)])
        self._coarse = 2.0 ** (math.frexp(max(pool, 1e-200))[1] - 53)
        self._fine = self._coarse / _FINER
        found = each_block(partial(_gathered, side, low, high), len(side))
        self.inframarginal = [part for part, _, _ in found if len(part.rows)]
        rows, entry = (np.concatenate([f[k] for f in found]) for k in (1, 2))
        order = np.argsort(-entry, kind="stable")
        self.entry = entry[order]
        self.marginal = Part(rows[order], side.take(rows[order]))
        self._extramarginal = self._extramarginal_count()

    def _extramarginal_count(self) -> int:
        """What the floors of all others are charged."""
        if not any_nonzero(self.side.floor):
            return 0
        charged = self._count(self.side.floor_charge)
        return charged - sum(self._count(part.side.floor_charge) for part in (*self.inframarginal, self.marginal))

    def _count(self, charges: Array) -> int:
        """The sum in fine units. Sums of whole coarse or fine units are exact, so that no order matters."""
        shift, fine_shift = 1.5 * 2.0**52 * self._coarse, 1.5 * 2.0**52 * self._fine
        coarse = charges + shift
        coarse -= shift
        # What rounding to coarse units leaves would add up where many queries are alike.
        fine = charges - coarse
        fine += fine_shift
        fine -= fine_shift
        return int(coarse.sum() / self._coarse) * _FINER + int(fine.sum() / self._fine)

    def inframarginal_total(self, price: float) -> float:
        """Budget units that queries beyond doubt want, and the floors of those that stay out. O(n)."""
        counts = each(lambda part: self._count(_charges(part.side, price)), self.inframarginal)
        return (self._extramarginal + sum(counts)) * self._fine

    def total(self, price: float) -> float:
        """Budget units that all want at a price in (low, high). O(n)."""
        parts = self.funded(price)
        extramarginal = self._count(self.marginal.side.floor_charge[len(parts[-1].rows) :])
        asked = each(partial(self._asked, price), parts)
        total = (self._extramarginal + extramarginal + sum(count for count, _ in asked)) * self._fine
        if total <= self._pool:  # what the search ends at is the last of these: it needn't be asked for again
            self._known = price, [wanted for _, wanted in asked]
        return total

    def _asked(self, price: float, part: Part) -> tuple[int, Array]:
        wanted = part.side.demand_if_funded(price)
        return self._count(part.side.charge(wanted)), wanted

    def funded(self, price: float) -> list[Part]:
        """All queries funded at a price in (low, high), the marginal in the last part."""
        count = int(np.searchsorted(-self.entry, -price))
        parts = [*self.inframarginal, Part(self.marginal.rows[:count], self.marginal.side.take(slice(0, count)))]
        known, wanted = self._known
        return parts if known != price else [part._replace(wanted=w) for part, w in zip(parts, wanted, strict=True)]

    def totals(self, price: float) -> Array:
        """Total demand if the first 0, 1, 2, ... of the marginal are funded, shape (marginal + 1,). O(n)."""
        side = self.marginal.side
        extra = _charges(side, price) - side.floor_charge
        base = self.inframarginal_total(price) + float(side.floor_charge.sum())
        return base + np.concatenate([[0.0], np.cumsum(extra)])


def _gathered(side: SmoothDemand, low: float, high: float, block: slice) -> tuple[Part, Index, Array]:
    """Of a block: the queries funded beyond doubt, and the rows and entry prices of the marginal."""
    part = side.take(block)
    entry = part.entry_price
    inframarginal = (entry > high).nonzero()[0]
    marginal = ((entry > low) & (entry <= high)).nonzero()[0]
    # Without its entry prices, which are not asked for again.
    funded = SmoothDemand(
        part.charged.take(inframarginal), *(take_rows(c, inframarginal) for c in (part.floor, part.low, part.high))
    )
    return Part(inframarginal + block.start, funded), marginal + block.start, entry[marginal]


def _charges(side: SmoothDemand, price: float) -> Array:
    return side.charge(side.demand_if_funded(price))


def sampled_clearing(market: Market, pool: float, price_guess: float = 0.0) -> tuple[Bracket, PriceWindow] | None:
    """The bracket of the clearing price, and the window around it; None where the sample misled, or tells nothing.

    price_guess : a guess of the price, 0 for none. O(n) per pass, six of them.
    """
    side = market.divisible
    if side is None or len(market.demands) > 1:
        return None
    sample = side.take(np.arange(0, len(side), max(len(side) // _SAMPLE, 1)))
    share = pool / len(side)
    guess = price_guess or _sampled_price(sample, share)
    for doubt in _DOUBTS if pool > 0.0 else ():
        if guess <= 0.0:
            return None
        window = PriceWindow(side, guess * (1.0 - doubt), guess * (1.0 + doubt), pool)
        price = _predicted(window, pool, guess, _elasticity(sample, guess, doubt))
        bracket = bracket_from_guess(window.total, pool, price, (window.low, window.high), window.entry[::-1])
        if bracket is not None:
            return bracket._replace(evaluations=bracket.evaluations + _PASSES), window
        if price_guess:
            guess = _sampled_price(sample, share)
    return None


def _sampled_price(sample: SmoothDemand, share: float) -> float:
    """The price at which the sample clears its share of the pool, per query; 0.0 if that says nothing."""
    price_guess = 0.0
    for part in (sample.take(np.arange(0, len(sample), _COARSER)), sample):
        price_guess = _cleared_by(part, share * len(part), price_guess)
        if price_guess <= 0.0:
            break
    return price_guess


def _cleared_by(sample: SmoothDemand, pool: float, price_guess: float) -> float:
    def wanted(price: float) -> float:
        return float(sample.charge(sample.demand(price)).sum())

    high = float(sample.entry_price.max(initial=0.0))
    if high <= 0.0 or not wanted(0.0) > pool >= wanted(high):
        return 0.0
    return bracket_decreasing(
        wanted, pool, high, np.sort(sample.entry_price[sample.discontinuous]), price_guess, 0.02, drop=ROUGH
    ).high


def _elasticity(sample: SmoothDemand, price: float, step: float) -> float:
    """By how many percent the funded want less where the price is one percent higher."""
    funded = sample.take((sample.entry_price > price).nonzero()[0])
    before, after = (float(_charges(funded, p).sum()) for p in (price, price * (1.0 + step)))
    return math.log(after / before) / math.log1p(step) if after > 0.0 < before else -1.0


def _predicted(window: PriceWindow, pool: float, price: float, elasticity: float) -> float:
    """Where demand passes the pool: log demand as a polynomial in log price, for each number of marginal ones."""
    places: list[float] = []
    logs: list[Array] = []
    for _ in range(_PASSES):
        if not window.low < price < window.high:
            return 0.0
        totals = window.totals(price)
        if not totals.min() > 0.0 or math.log(price) in places:
            break
        places.append(math.log(price))
        logs.append(np.log(totals))
        price = _crossing(window, places, logs, math.log(pool), elasticity)
    return price


def _crossing(window: PriceWindow, places: list[float], logs: list[Array], level: float, elasticity: float) -> float:
    """The price in [low, high] at which the interpolated demand passes the level, jumps included."""
    entry = np.log(window.entry)
    newton = _divided_differences(places, logs, elasticity)

    def demand(at: Any, who: Any) -> Any:
        value = newton[-1][who]
        for place, coefficient in zip(reversed((places * 2)[: len(newton) - 1]), reversed(newton[:-1]), strict=True):
            value = value * (at - place) + coefficient[who]
        return value

    # At its own entry price a query isn't funded yet: first the one at which too much is wanted already.
    over = demand(entry, np.arange(len(entry))) > level
    first = int(over.argmax()) if over.any() else len(entry)
    low = float(entry[first]) if first < len(entry) else math.log(window.low)
    high = float(entry[first - 1]) if first else math.log(window.high)
    at: float = places[-1]
    for _ in range(20):
        slope = (demand(at + 1e-6, first) - demand(at, first)) / 1e-6
        at = min(max(at - (demand(at, first) - level) / slope, low), high) if slope < 0.0 else low
    return math.exp(at)


def _divided_differences(places: list[float], logs: list[Array], elasticity: float) -> list[Array]:
    """Newton's coefficients of the polynomials through the points; of one point, a line of this elasticity."""
    table = list(logs)
    for order in range(1, len(places)):
        for k in range(len(places) - 1, order - 1, -1):
            table[k] = (table[k] - table[k - 1]) / (places[k] - places[k - order])
    if len(places) == 1:
        table.append(np.full(len(logs[0]), elasticity))
    return table
