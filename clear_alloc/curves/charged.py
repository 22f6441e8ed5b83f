"""Curves together with what their caps are charged: tokens or money, reserved or expected, with a price per call."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.columns.constant import take_rows
from clear_alloc.curves.base import Accounting, Rows, Smooth
from clear_alloc.support.types import Array, Bool

__all__ = ["Charged"]

_NEWTON_STEPS = 40  # from below, never past the root: each step stays affordable


class Charged(NamedTuple):
    """charge(b) = rate x cost(b) + call, and nothing for a cap of 0. All arrays (n,) or (prices, n).

    rate : budget units per token, (n,), None for 1. call : budget units per funded query, (n,), None for 0.
    """

    curves: Smooth
    accounting: Accounting = "reserved"
    rate: Array | None = None
    call: Array | None = None

    @property
    def plain(self) -> bool:
        """Whether a cap is charged as it is."""
        return self.accounting == "reserved" and self.rate is None and self.call is None

    def take(self, rows: Rows) -> Charged:
        """The queries at the given row numbers, in that order, or of a slice. O(rows)."""
        if self.plain:
            return Charged(self.curves.take(rows))
        rate, call = (None if column is None else take_rows(column, rows) for column in (self.rate, self.call))
        return Charged(self.curves.take(rows), self.accounting, rate, call)

    def charge(self, caps: Array) -> Array:
        """Budget units charged for a cap. O(n)."""
        if self.plain:
            return caps
        charged = self.curves.cost(caps, self.accounting)
        if self.rate is not None:
            charged = charged * self.rate
        return charged if self.call is None else charged + np.where(caps > 0, self.call, 0.0)

    def deviation(self, caps: Array) -> Array:
        """Standard deviation of what a cap will turn out to cost, budget units; 0 under reserved accounting. O(n)."""
        if self.accounting == "reserved":
            return np.zeros(np.shape(caps))
        spread = self.curves.deviation(caps)
        return spread if self.rate is None else spread * self.rate

    def variance(self, caps: Array) -> Array:
        """Variance of what a cap will turn out to cost, budget units^2. O(n)."""
        spread = self.deviation(caps)
        spread *= spread
        return spread

    def third_moment(self, caps: Array) -> Array:
        """Third central moment of what a cap will turn out to cost, budget units^3. O(n)."""
        if self.accounting == "reserved":
            return np.zeros(np.shape(caps))
        third = self.curves.third_moment(caps)
        return third if self.rate is None else third * self.rate**3

    def worst(self, caps: Array) -> Array:
        """What a cap can cost at most, budget units: its whole length. O(n)."""
        return Charged(self.curves, "reserved", self.rate, self.call).charge(caps)

    def on_branch(self, price: float | Array) -> Array:
        """Cap at which one more budget unit is worth `price`, on the branch where that worth falls. O(n)."""
        asked = np.asarray(price, dtype=np.float64)
        return self.curves.on_branch(asked if self.rate is None else asked * self.rate, self.accounting)

    def efficiency(self, caps: Array) -> Array:
        """Value of one more budget unit at a cap. O(n)."""
        worth = self.curves.efficiency(caps, self.accounting)
        return worth if self.rate is None else worth / self.rate

    def likely_run(self) -> Array | None:
        """Caps near those worth most per budget unit, where the family has a table of them."""
        return self.curves.likely_run if self.accounting == "expected" and self.call is None else None

    def starts_with_a_call(self, floor: Array) -> Bool:
        """Queries whose first token costs a call."""
        return np.zeros(len(floor), dtype=bool) if self.call is None else (self.call > 0) & (floor == 0)

    def cap_within(self, charge: Array, most: Array, above: Array | float = 0.0) -> Array:
        """The largest whole cap up to `most` (token, whole) charged no more than `charge`; 0 if none is. O(n).

        above : caps that are known to be charged no more, from which the search starts.
        """
        if self.plain:
            return np.clip(np.floor(charge), 0.0, most)
        pool = charge if self.call is None else charge - self.call
        target = np.maximum(pool if self.rate is None else pool / self.rate, 0.0)
        caps = np.minimum(target, most) if self.accounting == "reserved" else self._burning(target, most, above)
        caps = np.floor(caps * (1.0 + 1e-15))
        up = np.minimum(caps + 1.0, most)
        caps = np.where(self.charge(up) <= charge, up, caps)
        return np.where(self.charge(caps) <= charge, caps, np.maximum(caps - 1.0, 0.0))

    def _burning(self, target: Array, most: Array, above: Array | float) -> Array:
        """Caps up to `most` whose expected cost is `target`, from below."""
        # The cost is concave in the cap, so Newton's steps from the left never pass the root.
        caps = np.minimum(np.maximum(target, above), most)
        for _ in range(_NEWTON_STEPS):
            missing = target - self.curves.expected_cost(caps)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = np.where(missing > 0.0, missing / self.curves.length_survival(caps), 0.0)
            raised: Array = np.minimum(caps + np.where(np.isnan(step), np.inf, step), most)
            if not (raised > caps + 0.25).any():
                return raised
            caps = raised
        return caps
