"""The certificate: a dual value, which no allocation exceeds, and the price at which it is lowest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clear_alloc.curves import Array
from clear_alloc.market.market import Market

__all__ = ["DualBound", "tightest"]


@dataclass
class DualBound:
    """A dual value, and what it is the dual of.

    own_prices : price at which each query buys, (n,), where that is not one price for all.
    """

    value: float
    price: float
    market: Market
    own_prices: Array | None = None

    def recomputed(self, pool: float) -> float:
        """The dual value at a pool, budget units. O(n)."""
        return self.market.dual_bound(self.price, pool)


def tightest(bounds: Iterable[DualBound]) -> DualBound:
    """The bound that certifies most."""
    return min(bounds, key=lambda bound: bound.value)
