"""Where a falling step function passes a level: a bracket that always holds, on a fixed grid of numbers.

The grid is the positive floats with a shortened mantissa. Because the answer is a pair of neighbours on that grid,
it does not depend on the path by which it was found: a warm start, a different first guess or another machine
give the same two numbers, and a lower level never gives a smaller root.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.errors import PriceNotConverged

__all__ = ["COARSE", "FINE", "ROUGH", "Bracket", "bracket_decreasing", "bracket_from_guess", "vector_root"]

FINE = 12  # mantissa bits dropped: neighbours on the grid differ by 2**-40 of their size
COARSE = 24  # 2**-28: enough where whole tokens are settled afterwards
ROUGH = 38  # 2**-14: a first look
MAX_EVALUATIONS = 300
_OCTAVE = 52
_HARDLY = 1e-7
_AROUND = np.array([-8.0, -2.0, -0.4, 0.0, 0.4, 2.0, 8.0])  # likely errors
_CLOSING = np.array([-0.2, -0.02, -1e-3, -1e-6, 1e-6, 1e-3, 0.02, 0.2])  # widths of the bracket
_BELOW = np.exp2([-60.0, -30.0, -15.0, -8.0, -4.0, -2.0, -1.0])
_MANY_JUMPS = 16


class Bracket(NamedTuple):
    """Neighbouring grid points with f(low) > level >= f(high)."""

    low: float
    high: float
    evaluations: int


def bracket_decreasing(
    f: Callable[[float], float],
    level: float,
    high: float,
    breakpoints: Array | None = None,
    price_guess: float | None = None,
    guess_rtol: float = 0.02,
    drop: int = FINE,
) -> Bracket:
    """Bracket the point where the non-increasing `f` passes `level`, to neighbouring points of the grid.

    f : falling step function on [0, inf); f(0) > level >= f(high) must hold.
    breakpoints : sorted points where f may be discontinuous; elsewhere it is taken as continuous, which affects the
        number of evaluations but never the answer.
    price_guess : a guess of the root; a good one saves evaluations, a bad one costs a few.
    guess_rtol : how far off the guess is likely to be, relative to the root.
    drop : mantissa bits that the grid leaves out; the bracket's relative width is 2**(drop - 52).

    Bisection over the points, aimed by a straight line while they are many, then regula falsi (Illinois) inside a
    bracket that bisection keeps: log2(len(jumps)) + 10 evaluations or so. Raises PriceNotConverged after
    MAX_EVALUATIONS.
    """
    search = _Search(f, level, _above(high, drop), drop)
    if price_guess is not None:
        search.gallop(price_guess, guess_rtol)
    if breakpoints is not None and len(breakpoints):
        search.cross_jumps(breakpoints)
    search.close_in()
    return Bracket(search.price(search.low), search.price(search.high), search.evaluations)


def bracket_from_guess(
    f: Callable[[float], float], level: float, price_guess: float, within: tuple[float, float], breakpoints: Array
) -> Bracket | None:
    """The bracket of `bracket_decreasing` on the fine grid, from a guess: two evaluations if it is nearly right.

    None where `f` doesn't pass `level` `within` the two points.
    """
    search = _Search(f, level, _above(within[1], FINE), FINE)
    search.low = _above(within[0], FINE)
    if not within[0] < price_guess < within[1]:
        return None
    search.gallop(price_guess, 0.0)
    if not search.bounded():
        return None
    search.cross_jumps(breakpoints)
    search.close_in()
    return Bracket(search.price(search.low), search.price(search.high), search.evaluations)


def vector_root(f: Callable[[Array], Array], level: float, high: float, price_guess: float, error: float) -> float:
    """A point where the continuous falling `f` is at most `level`, and hardly less: _HARDLY of it.

    f : asked for several rising points at once, which costs little more than one where each of them is a short sum.
    f(0) > level >= f(high) must hold. price_guess, error : a guess of the root and its likely relative error; 0 for
    none. Regula falsi on a logarithmic scale, with points at both sides of the line's root that close in on it:
    three or four calls.
    """
    low, f_low, f_high = 0.0, math.inf, -math.inf
    points = price_guess * np.exp(error * _AROUND) if 0.0 < price_guess < high else high * _BELOW
    for _ in range(MAX_EVALUATIONS):
        points = points[(points > low) & (points < high)]
        if not len(points):
            middle = math.sqrt(low) * math.sqrt(high)
            if not low < middle < high:
                return high
            points = np.array([middle])
        values = f(points) - level
        over = int(np.count_nonzero(values > 0.0))
        if over:
            low, f_low = float(points[over - 1]), float(values[over - 1])
        if over < len(points):
            high, f_high = float(points[over]), float(values[over])
        if f_high >= -_HARDLY * level or high <= low * (1.0 + 1e-15):
            return high
        if low == 0.0:
            points = high * _BELOW
        elif f_high == -math.inf:
            points = low + (high - low) * _BELOW
        else:
            width = math.log(high) - math.log(low)
            root = math.log(low) + width * f_low / (f_low - f_high)
            points = np.exp(root + width * _CLOSING)
    raise PriceNotConverged(low, high, MAX_EVALUATIONS)


def _above(x: float, drop: int) -> int:
    """Index of the first grid point >= x > 0."""
    bits: int = struct.unpack("<q", struct.pack("<d", x))[0]
    return -(-bits >> drop)


class _Search:
    """One search: the bracket as grid indices, and the function's values at its ends."""

    def __init__(self, f: Callable[[float], float], level: float, high: int, drop: int):
        self.f, self.level, self.drop = f, level, drop
        self.low, self.high = 0, high
        self.f_low, self.f_high = math.inf, -math.inf
        self.evaluations = 0

    def price(self, index: int) -> float:
        value: float = struct.unpack("<d", struct.pack("<q", index << self.drop))[0]
        return value

    def probe(self, index: int) -> bool:
        """Evaluate at a grid point inside the bracket and shrink it; True if the point became the high end."""
        if self.evaluations >= MAX_EVALUATIONS:
            raise PriceNotConverged(self.price(self.low), self.price(self.high), self.evaluations)
        self.evaluations += 1
        value = self.f(self.price(index)) - self.level
        if value > 0:
            self.low, self.f_low = index, value
            return False
        self.high, self.f_high = index, value
        return True

    def gallop(self, price_guess: float, error: float) -> None:
        """Bracket the root from a guess, in steps that grow from its likely error until both sides are seen."""
        if not 0.0 < price_guess < self.price(self.high):
            return
        index, step = _above(price_guess, self.drop), max(int(error * (1 << (_OCTAVE - self.drop))), 1)
        start_low, start_high = self.low, self.high
        while self.low == start_low or self.high == start_high:
            if not self.low < index < self.high:
                return
            index += -step if self.probe(index) else step
            step *= 4

    def cross_jumps(self, breakpoints: Array) -> None:
        """Shrink the bracket until no jump lies strictly inside it, or only the one at its high end."""
        points = np.ascontiguousarray(breakpoints, dtype=np.float64).view(np.int64)
        points = -(-points >> self.drop)
        before = math.inf
        while True:
            first = int(np.searchsorted(points, self.low, side="right"))
            last = int(np.searchsorted(points, self.high, side="left"))
            if first >= last:
                break
            aim = (first + last) // 2
            if last - first > _MANY_JUMPS and 2 * (last - first) <= before and self.bounded():
                # Among many small jumps f is nearly smooth, so a straight line aims better than the middle.
                line = int(np.searchsorted(points[first:last], self._between(self.f_low, self.f_high)))
                aim = min(first + line, last - 1)
            before = last - first
            self.probe(int(points[aim]))
        # If f jumps across the level right at the high end, one look just below it ends the search.
        if self.high - self.low > 1:
            self.probe(self.high - 1)

    def bounded(self) -> bool:
        """Whether both ends have been evaluated at positive points."""
        return self.low > 0 and math.isfinite(self.f_low) and math.isfinite(self.f_high)

    def close_in(self) -> None:
        """Regula falsi on a logarithmic scale; bisection whenever two steps fail to halve the bracket."""
        self._leave_zero()
        slow, kept = 0, 0  # steps that did not halve the bracket; end kept so far: -1 low, 1 high
        stale = 1.0  # weight of the end that was kept twice in a row
        while self.high - self.low > 1:
            width = self.high - self.low
            if slow >= 3 or not self.bounded():
                index, slow = (self.low + self.high) // 2, 0
            else:
                low, high = (stale, 1.0) if kept < 0 else (1.0, stale)
                index = self._between(low * self.f_low, high * self.f_high)
            side = -1 if self.probe(index) else 1
            stale = stale / 2 if side == kept else 1.0
            kept = side
            slow = slow + 1 if 2 * (self.high - self.low) > width else 0

    def _leave_zero(self) -> None:
        """Find a positive low end: logarithms of the price need one."""
        octaves = 1
        while self.low == 0 and self.high > 1:
            self.probe(max(1, self.high - (octaves << (_OCTAVE - self.drop))))
            octaves *= 2

    def _between(self, at_low: float, at_high: float) -> int:
        log_low, log_high = math.log(self.price(self.low)), math.log(self.price(self.high))
        share = at_low / (at_low - at_high)
        guess = math.exp(log_low + share * (log_high - log_low))
        return min(max(_above(guess, self.drop), self.low + 1), self.high - 1)
