"""Log-normal arrival of right answers: a mixture cure model of the length of a solution."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtr

from clear_alloc.columns.validate import MAX_TOKENS, check, column, positive, probability
from clear_alloc.curves.arrival import Arrival, central_third
from clear_alloc.curves.charged import Charged
from clear_alloc.curves.special.normal_hazard import (
    FAR,
    OfSpread,
    inverse_mills,
    relative_hazard_peak,
    relative_hazard_root,
)
from clear_alloc.curves.tangent import steepest_chord
from clear_alloc.support.parallel import cached_property
from clear_alloc.support.types import Array

__all__ = ["LognormalArrival"]

_SQRT_2PI = np.sqrt(2.0 * np.pi)
_CEILING = FAR
_LEAST_Z, _MOST_LOG = -36.0, 700.0  # Phi is far from underflow above the one, exp from overflow below the other
MAX_SPREAD = 20.0  # natural log; already a factor e^20 between a short and a usual answer


@cache
def _tangents() -> OfSpread:
    return OfSpread(_tangent_near(0.8 - OfSpread.nodes, OfSpread.nodes))


def relative_break_even(spread: Array) -> Array:
    """The z whose tangent passes through the origin: phi(z)/Phi(z) = spread. Absolute error 1e-12."""
    z = _tangents()(spread)
    narrow = spread < OfSpread.nodes[0]
    if narrow.any():
        z[narrow] = np.sqrt(-2.0 * np.log(spread[narrow] * _SQRT_2PI))
    return _tangent_near(z, spread)


def _tangent_near(z: Array, spread: Array) -> Array:
    # Newton on log(phi/Phi), which is concave and falls everywhere; phi(z)/Phi(z) is the hazard at -z.
    rows = np.arange(len(z))
    for _ in range(40):  # one or two, from the table
        before = z[rows]
        ratio = inverse_mills(-before)
        step = (np.log(ratio) - np.log(spread[rows])) / (ratio + before)
        z[rows] = before + step
        rows = rows[np.abs(step) > 1e-6]
        if not len(rows):
            break
    return z


@cache
def _best_ends() -> OfSpread:
    """The z of the cap that is worth most per token expected to be burned."""
    spread = OfSpread.nodes
    curves = LognormalArrival(1.0, spread, 1.0)
    zero, start = np.zeros(len(spread)), curves.hazard_peak
    _, end = steepest_chord(Charged(curves, "expected"), zero, zero, start, curves.ceiling)
    return OfSpread(np.log(end) / spread)


class LognormalArrival(Arrival):
    """U(b) = weight solvability Phi((log b - log median)/spread).

    Parameters are scalars or arrays of shape (n,).

    median : token, > 0. Half of the right answers have arrived by this cap.
    spread : standard deviation of the natural log of the length, in (0, 20].
    solvability : chance that the query is answered right at any length, in (0, 1].
    weight : value of one right answer, >= 0.

    Farewell 1982 for the mixture cure model. Convex up to the mode median exp(-spread^2), concave beyond.
    """

    family: ClassVar[str] = "lognormal"
    parameters: ClassVar[tuple[str, ...]] = ("median", "spread", "solvability")
    knows_lengths = True

    median: Array
    spread: Array
    solvability: Array

    def __init__(
        self,
        median: npt.ArrayLike,
        spread: npt.ArrayLike,
        solvability: npt.ArrayLike,
        weight: npt.ArrayLike = 1.0,
    ):
        spreads = column("spread", spread)
        good = (spreads >= 1e-9) & (spreads <= MAX_SPREAD)
        check("spread", spreads, good, "1e-9 to 20, natural log of tokens", "give log-lengths a positive spread")
        columns = {
            "median": positive("median", median),
            "spread": spreads,
            "solvability": probability("solvability", solvability),
        }
        self._store(columns, weight)

    @cached_property
    def concave_from(self) -> Array:
        """The mode of the arrivals, median exp(-spread^2), token."""
        return self.median * np.exp(-self.spread * self.spread)

    @cached_property
    def ceiling(self) -> Array:
        """Cap at which all but CEILING_SHORTFALL of the answers have arrived, token."""
        return np.minimum(self.median * np.exp(_CEILING * self.spread), MAX_TOKENS)

    @cached_property
    def _relative_break_even(self) -> Array:
        return np.minimum(relative_break_even(self.spread), _CEILING)

    @cached_property
    def break_even(self) -> Array:
        """Cap with the highest value per token."""
        return np.minimum(self.median * np.exp(self.spread * self._relative_break_even), MAX_TOKENS)

    @property
    def emergence(self) -> Array:
        """The median, token: a log-normal has no threshold, its scale stands in."""
        return self.median

    @cached_property
    def _reservation(self) -> Array:
        return self.utility(self.break_even) / self.break_even

    def utility(self, tokens: npt.ArrayLike) -> Array:
        """Value of a cap. O(n)."""
        return self.top * ndtr(self._z(tokens))

    def answer_survival(self, tokens: npt.ArrayLike) -> Array:
        """Share of the right answers that arrive after `tokens`. O(n)."""
        return ndtr(-self._z(tokens))

    def marginal(self, tokens: npt.ArrayLike) -> Array:
        """Slope at a cap, value/token; 0 at cap 0. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        z = self._z(caps)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = self.top * np.exp(-0.5 * z * z) / (_SQRT_2PI * self.spread * caps)
        return np.where(caps > 0.0, slope, 0.0)

    def inverse_marginal(self, price: npt.ArrayLike) -> Array:
        """Median exp(spread z), z = -spread + sqrt(spread^2 - 2 log(price spread median sqrt(2 pi)/top)). O(n)."""
        # phi(z)/(spread b) = price/top with b = median exp(spread z) is quadratic in z; the larger root is concave.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            asked = np.log(_SQRT_2PI * np.asarray(price, dtype=np.float64))
            inside = self.spread * self.spread - 2.0 * (asked + self._log_scale)
            z = np.sqrt(np.where(inside > 0.0, inside, 0.0)) - self.spread
            z *= self.spread
            wanted = np.exp(z, out=z)
            wanted *= self.median
        return wanted

    @cached_property
    def _log_median(self) -> Array:
        return np.log(self.median)

    @cached_property
    def _log_scale(self) -> Array:
        with np.errstate(divide="ignore"):
            scale: Array = np.log(self.spread) + self._log_median - np.log(self.top)
        return scale

    def expected_cost(self, tokens: npt.ArrayLike) -> Array:
        """E min(length, cap) = median exp(spread^2/2) Phi(z - spread) + cap (1 - Phi(z)), token. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        z = self._z(caps)
        return np.minimum(self._ended(1.0, z) + caps * ndtr(-z), caps)

    def expected_square(self, tokens: npt.ArrayLike) -> Array:
        """E min(length, cap)^2, token^2. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        z = self._z(caps)
        return np.minimum(self._ended(2.0, z) + caps * caps * ndtr(-z), caps * caps)

    def _ended(self, power: float, z: Array, log_unit: Array | float = 0.0) -> Array:
        """E (length/unit)^power over the completions that end before a cap."""
        shifted = z - power * self.spread
        log_whole = power * (self._log_median - log_unit) + 0.5 * (power * self.spread) ** 2
        ended: Array = ndtr(shifted)
        ended *= np.exp(np.minimum(log_whole, _MOST_LOG))
        # Where a factor leaves the floats the product may not: logarithms keep it, several times slower.
        extreme = ((shifted < _LEAST_Z) & (shifted > -np.inf)) | (log_whole > _MOST_LOG)
        if extreme.any():
            ended[extreme] = np.exp(np.broadcast_to(log_whole, extreme.shape)[extreme] + log_ndtr(shifted[extreme]))
        return ended

    def third_moment(self, tokens: npt.ArrayLike) -> Array:
        """Third central moment of min(length, cap), token^3. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        z = self._z(caps)
        # In units of the cap, so that the cubes of long caps keep their digits.
        log_unit = np.log(np.maximum(caps, 1e-300))
        later = ndtr(-z)
        terms = (self._ended(k, z, log_unit) + later for k in (1.0, 2.0, 3.0))
        return central_third(*terms) * caps**3

    def hazard_value(self, tokens: npt.ArrayLike) -> Array:
        """Top m(z)/(spread cap), value/token, m the inverse Mills ratio; 0 at cap 0. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            worth = self.top * inverse_mills(self._z(caps)) / (self.spread * caps)
        return np.where(caps > 0.0, worth, 0.0)

    @cached_property
    def _relative_hazard_peak(self) -> Array:
        return relative_hazard_peak(self.spread)

    @property
    def likely_run(self) -> Array:
        """Cap near the one that is worth most per token expected to be burned, from a table. O(n)."""
        z = _best_ends()(self.spread)
        return np.minimum(self.median * np.exp(self.spread * z), self.ceiling)

    @cached_property
    def hazard_peak(self) -> Array:
        """Cap with the highest hazard, token; the ceiling where it rises all the way (spread below about 0.16)."""
        return np.minimum(self.median * np.exp(self.spread * self._relative_hazard_peak), self.ceiling)

    def inverse_hazard(self, price: npt.ArrayLike) -> Array:
        """Cap beyond the peak of the hazard where it equals `price`, at most the ceiling. O(n)."""
        # log m(z) - spread z = log(price spread median/top).
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            asked = np.log(np.asarray(price, dtype=np.float64))
            target = asked + self._log_scale
        target = np.where(np.isnan(target), np.inf, target)
        z = relative_hazard_root(target, self.spread, self._relative_hazard_peak)
        z *= self.spread
        wanted = np.exp(z, out=z)
        wanted *= self.median
        return np.minimum(wanted, self.ceiling, out=wanted)

    def _z(self, tokens: npt.ArrayLike) -> Array:
        with np.errstate(divide="ignore"):
            z = np.log(np.asarray(tokens, dtype=np.float64)) - self._log_median
        z /= self.spread
        return z
