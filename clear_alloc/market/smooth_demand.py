"""Smooth curves with the caps that are feasible and what they are charged: one side of a market.

Every quantity is an array (n,), one entry per query. A "charge" is in budget units: tokens, or money where tokens
have different prices.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.validate import any_nonzero, broadcast_column, is_repeated, of_repeated, take_rows
from clear_alloc.curves import MAX_TOKENS, Array, Charged, Rows, steepest_chord
from clear_alloc.support.parallel import BLOCK, cached_property, each_block

__all__ = ["Bool", "Index", "SmoothDemand"]

Bool = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]


class SmoothDemand:
    """Flat-convex-concave curves, each on {floor} or [start, stop].

    floor : token, what the query gets in any case. low, high : a funded query's cap lies between them.
    What follows from these is computed when it is asked for, so that a part of many queries costs little.
    """

    def __init__(self, charged: Charged, floor: Array, low: Array, high: Array):
        self.charged, self.curves = charged, charged.curves
        self.floor, self.low, self.high = floor, low, high

    def __len__(self) -> int:
        return len(self.floor)

    @cached_property
    def least(self) -> Array:
        """The smallest cap of a query that is funded, token."""
        return of_repeated(np.maximum, self.floor, self.low)

    @cached_property
    def stop(self) -> Array:
        """The largest useful cap, token."""
        return self._within_limits(self.curves.ceiling)

    @cached_property
    def last_whole(self) -> Array:
        """The largest useful whole cap, token."""
        return self._within_limits(np.ceil(self.curves.ceiling))

    def _within_limits(self, caps: Array) -> Array:
        """Caps of at most MAX_TOKENS as the limits allow them."""
        return caps if self._unlimited else np.maximum(np.minimum(caps, self.high), self.least)

    @cached_property
    def _unlimited(self) -> bool:
        """Whether every cap is allowed, seen without a look at every query."""
        most, least = self.high, self.least
        return is_repeated(most) and most[0] >= MAX_TOKENS and is_repeated(least) and not least[0]

    @cached_property
    def start(self) -> Array:
        """Where the concave branch begins, at least `least`, token."""
        start = self.charged.curves.branch_start(self.charged.accounting)
        return start if self._unlimited else np.clip(start, self.least, self.stop)

    @cached_property
    def floor_value(self) -> Array:
        """Utility of the floor, value."""
        return (
            self.curves.utility(self.floor) if any_nonzero(self.floor) else broadcast_column(np.zeros(1), len(self))
        )

    @cached_property
    def floor_charge(self) -> Array:
        """Budget units that the floor is charged."""
        return self.charged.charge(self.floor)

    @cached_property
    def entry_price(self) -> Array:
        """Value per budget unit: the price below which a query leaves its floor. O(n)."""
        if len(self) <= BLOCK:
            return self._entry_prices()
        prices = np.empty(len(self))

        def refill_funded(block: slice) -> None:
            prices[block] = self.rows(block).entry_price

        each_block(refill_funded, len(self))
        return prices

    def _entry_prices(self) -> Array:
        """Steepest slope from (charge(floor), U(floor)) to a feasible cap."""
        if not self.charged.plain:
            likely = None if any_nonzero(self.floor) else self.charged.likely_run()
            return steepest_chord(self.charged, self.floor, self.floor_value, self.start, self.stop, likely)[0]
        prices = self.curves.reservation_price()
        if self._unlimited:
            return prices
        # The closed form holds for free queries whose break-even cap is allowed; the others are few.
        usual = self.curves.break_even
        other = ((self.floor > 0) | (usual > self.stop) | (usual < self.low)).nonzero()[0]
        if len(other):
            prices = prices.copy()
            some = self.rows(other)
            prices[other], _ = steepest_chord(some.charged, some.floor, some.floor_value, some.start, some.stop)
        return prices

    @cached_property
    def breakpoints(self) -> Bool:
        """Queries whose demand is discontinuous: they leave the floor for a distant cap or not at all."""
        distant = (self.start > self.floor) | self.charged.starts_with_a_call(self.floor)
        return distant & (self.entry_price > 0)

    def charge(self, caps: Array) -> Array:
        """Budget units charged for caps (token). O(n)."""
        return self.charged.charge(caps)

    def demand_if_funded(self, price: float | Array) -> Array:
        """Best cap on [start, stop]; prices of shape (k, 1) give caps of shape (k, n). O(n)."""
        if isinstance(price, float) and price == 0.0:
            return self.stop
        caps = np.maximum(self.charged.on_branch(price), self.start)
        return np.minimum(caps, self.stop, out=caps)

    def demand(self, price: float) -> Array:
        """Best cap on {floor} and [start, stop]; the floor where nothing gains. O(n)."""
        return np.where(price < self.entry_price, self.demand_if_funded(price), self.floor)

    def whole_demand(self, price: float | Array) -> Array:
        """Best whole feasible cap; the floor where nothing gains. O(n)."""
        return self._best_whole(price)[0]

    def best_surplus(self, price: float | Array) -> Array:
        """Highest utility - price x charge over the whole caps that are feasible. O(n)."""
        return self._best_whole(price)[1]

    def _best_whole(self, price: float | Array) -> tuple[Array, Array]:
        # On the concave branch the best whole cap is beside the best real one; before it, surplus is convex and so
        # highest at an end: the floor, or the last whole cap before the branch, which is beside `wanted` again.
        wanted = self.demand_if_funded(price)
        best, surplus = self.floor, self.floor_value - price * self.floor_charge
        for cap in (np.maximum(np.floor(wanted), self.least), np.minimum(np.ceil(wanted), self.last_whole)):
            own = self.curves.utility(cap) - price * self.charge(cap)
            best, surplus = np.where(own > surplus, cap, best), np.maximum(own, surplus)
        return best, surplus

    def totals(self, caps: Array, *asks: Callable[[Charged, Array], Array]) -> list[float]:
        """Sums over all queries of what `asks` give for their caps, each 0 for a cap of 0. O(n), in blocks."""
        return [
            sum(column)
            for column in self._of_capped(caps, lambda part, own: [float(ask(part, own).sum()) for ask in asks])
        ]

    def largest(self, caps: Array, ask: Callable[[Charged, Array], Array]) -> float:
        """The largest of what `ask` gives for the caps, at least 0. O(n), in blocks."""
        return max(self._of_capped(caps, lambda part, own: [float(ask(part, own).max(initial=0.0))])[0], default=0.0)

    def _of_capped(self, caps: Array, act: Callable[[Charged, Array], list[float]]) -> list[tuple[float, ...]]:
        """What `act` says of each block's queries that have a cap, answer by answer."""
        if len(self) <= BLOCK:
            return [(answer,) for answer in act(self.charged, caps)]

        def of(block: slice) -> list[float]:
            own = caps[block]
            some = own.nonzero()[0]
            return act(self.charged.rows(block).rows(some), own[some])

        return list(zip(*each_block(of, len(self)), strict=True))

    def cap_within(self, charge: Array, above: Array | float = 0.0) -> Array:
        """The largest feasible whole cap charged no more than `charge`, the floor if none is. O(n).

        above : caps that are known to be charged no more.
        """
        caps = self.charged.cap_within(charge, self.last_whole, above)
        return np.where(caps < self.least, self.floor, caps)

    def rows(self, rows: Rows) -> SmoothDemand:
        """The same for some of the queries. O(rows)."""
        new = SmoothDemand(self.charged.rows(rows), *(take_rows(c, rows) for c in (self.floor, self.low, self.high)))
        # What is known of all is known of some.
        new.__dict__.update({k: take_rows(v, rows) for k, v in self.__dict__.items() if k in _COLUMNS})
        return new


_COLUMNS = frozenset(("least", "stop", "last_whole", "start", "floor_value", "floor_charge", "entry_price"))
