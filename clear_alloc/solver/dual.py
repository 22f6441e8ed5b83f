"""The certificate: a dual value, which no allocation exceeds."""

from __future__ import annotations

from collections.abc import Iterable

from clear_alloc.curves import Array
from clear_alloc.market.market import Market

__all__ = ["DualBound", "bound_at", "tightest"]


class DualBound:
    """A dual value, which no allocation exceeds, and what it is the dual of.

    own_prices : price at which each query buys, (n,), where that is not one price for all.
    """

    own_prices: Array | None = None

    def __init__(self, value: float, price: float, market: Market):
        self.value, self.price, self.market = value, price, market

    def recomputed(self, pool: float) -> float:
        """The dual value at a pool, budget units. O(n)."""
        return self.market.dual_bound(self.price, pool)


def bound_at(market: Market, price: float, budget: float) -> DualBound:
    """The dual value at a price, value/token. O(n)."""
    return DualBound(market.dual_bound(price, budget), price, market)


def tightest(bounds: Iterable[DualBound]) -> DualBound:
    """The bound that certifies most."""
    return min(bounds, key=lambda bound: bound.value)
