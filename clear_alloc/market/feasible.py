"""Which caps are feasible: floors, ceilings, levels and fallbacks of n queries, merged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.columns.constant import take_rows
from clear_alloc.curves import Array
from clear_alloc.support.types import Bool, Index

__all__ = ["FeasibleCaps"]

_NOBODY: Index = np.empty(0, dtype=np.intp)


class FeasibleCaps(NamedTuple):
    """Feasible caps of n queries, whole tokens as float64, all of shape (n,).

    floor : what a query gets in any case. fallback : what it gets when it is not funded, at most the floor.
    low, high : a funded query's cap lies between them. listed : rows (m,) that may only have `levels` (m, k), rising,
    padded with inf. lifts : whether a menu's option below `low` may be bought with a larger cap.
    """

    floor: Array
    fallback: Array
    low: Array
    high: Array
    listed: Index
    levels: Array
    lifts: Bool

    def take(self, rows: Index) -> FeasibleCaps:
        """Feasible caps of some of the queries, in the order of their rows."""
        if len(rows) == len(self.floor) and (np.diff(rows) == 1).all():
            return self
        if not len(self.listed):
            floor, back, low, high = (take_rows(column, rows) for column in self[:4])
            return FeasibleCaps(floor, back, low, high, _NOBODY, self.levels, take_rows(self.lifts, rows))
        place = np.full(len(self.floor), -1)
        place[self.listed] = np.arange(len(self.listed))
        kept = np.flatnonzero(place[rows] >= 0)
        floor, fallback, low, high = (c[rows] for c in (self.floor, self.fallback, self.low, self.high))
        return FeasibleCaps(floor, fallback, low, high, kept, self.levels[place[rows[kept]]], self.lifts[rows])

    def lifted(self, caps: Array) -> Array:
        """The smallest feasible cap that covers each of `caps` (n, k), inf where none does.

        What the fallback covers stays as it is where it may be had. Without levels, so does what a floor covers.
        """
        rests = caps <= np.where(self.floor > self.fallback, -1.0, self.fallback)[:, None]
        stays = rests | ((caps <= self.floor[:, None]) & ~self.lifts[:, None])
        with np.errstate(invalid="ignore"):
            low = np.where(stays, caps, np.maximum(caps, self.low[:, None]))
        out = np.where(low <= self.high[:, None], low, np.inf)
        if len(self.listed):
            own, levels = caps[self.listed], self.levels[:, None, :]
            up = np.where(levels >= own[..., None], levels, np.inf).min(axis=-1)
            out[self.listed] = np.where(rests[self.listed], own, up)
        return out

    def shown(self, row: int) -> str:
        """The caps that levels allow one query, for a message."""
        place = np.flatnonzero(self.listed == row)
        if not len(place):
            return f"{self.low[row]:,.15g} to {self.high[row]:,.15g}"
        own = self.levels[place[0]]
        return ", ".join(f"{cap:,.15g}" for cap in own[np.isfinite(own)])

    def allow(self, tokens: Array) -> Bool:
        """Whether each cap, (n,), is feasible."""
        good: Bool = (tokens == self.floor) | ((tokens >= self.low) & (tokens <= self.high))
        if len(self.listed):
            own = tokens[self.listed]
            good[self.listed] = (self.levels == own[:, None]).any(axis=1) | (own == self.floor[self.listed])
        return good
