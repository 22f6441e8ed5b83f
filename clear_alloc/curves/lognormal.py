"""Log-normal arrival of right answers: a mixture cure model of the length of a solution."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx, log_ndtr, ndtr

from clear_alloc.blocks import cached_property
from clear_alloc.curves.columns import MAX_TOKENS, Array, check, column, positive, probability
from clear_alloc.curves.residual import Arrival, central_third

__all__ = ["LognormalArrival"]

_SQRT_2PI = np.sqrt(2.0 * np.pi)
_CEILING = 5.997807  # Phi(z) = 1 - CEILING_SHORTFALL
MAX_SPREAD = 20.0  # natural log; already a factor e^20 between a short and a usual answer


def relative_break_even(spread: Array) -> Array:
    """The z whose tangent passes through the origin: phi(z)/Phi(z) = spread. Absolute error 1e-12."""
    # Newton on log(phi/Phi), which is concave and falls everywhere; its slope is -(z + phi/Phi).
    target = np.log(spread * _SQRT_2PI)
    z = np.where(spread < 0.8, np.sqrt(np.maximum(-2.0 * target, 0.0)), 0.8 - spread)
    for _ in range(8):
        log_ratio = -0.5 * z * z - log_ndtr(z)
        slope = z + np.exp(log_ratio) / _SQRT_2PI
        z = z + (log_ratio - target) / slope
    return z


def inverse_mills(z: Array) -> Array:
    """phi(z)/(1 - Phi(z)): the hazard of a standard normal."""
    ratio: Array = np.sqrt(2.0 / np.pi) / erfcx(z / np.sqrt(2.0))
    return ratio


def relative_hazard_peak(spread: Array) -> Array:
    """The z at which the hazard is highest, at most _CEILING: m(z) - z = spread, m the inverse Mills ratio."""
    # m(z) - z falls and is convex, and -spread lies left of the root: Newton's steps never pass it.
    z = -spread
    for _ in range(40):
        m = inverse_mills(z)
        raised = np.minimum(z + (m - z - spread) / (1.0 - m * (m - z)), _CEILING)
        if not (raised > z + 1e-13 * (1.0 + np.abs(z))).any():
            return raised
        z = np.maximum(raised, z)
    return z


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
    def top(self) -> Array:
        """Utility of an unlimited cap, value."""
        return self.weight * self.solvability

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

    def unfinished(self, tokens: npt.ArrayLike) -> Array:
        """Share of the right answers that arrive after `tokens`. O(n)."""
        return ndtr(-self._z(tokens))

    def marginal(self, tokens: npt.ArrayLike) -> Array:
        """Slope at a cap, value/token; 0 at cap 0. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        z = self._z(caps)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = self.top * np.exp(-0.5 * z * z) / (_SQRT_2PI * self.spread * caps)
        return np.where(caps > 0.0, slope, 0.0)

    def stationary(self, price: npt.ArrayLike) -> Array:
        """Median exp(spread z), z = -spread + sqrt(spread^2 - 2 log(price spread median sqrt(2 pi)/top)). O(n)."""
        # phi(z)/(spread b) = price/top with b = median exp(spread z) is quadratic in z; the larger root is concave.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            scale = np.log(_SQRT_2PI * self.spread) + np.log(self.median) - np.log(self.top)
            inside = self.spread**2 - 2.0 * (np.log(np.asarray(price, dtype=np.float64)) + scale)
            z = np.sqrt(np.where(inside > 0.0, inside, 0.0)) - self.spread
            return self.median * np.exp(self.spread * z)

    def expected_cost(self, tokens: npt.ArrayLike) -> Array:
        """E min(length, cap) = median exp(spread^2/2) Phi(z - spread) + cap (1 - Phi(z)), token. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        z = self._z(caps)
        ended = np.exp(np.log(self.median) + 0.5 * self.spread**2 + log_ndtr(z - self.spread))
        return np.minimum(ended + caps * ndtr(-z), caps)

    def expected_square(self, tokens: npt.ArrayLike) -> Array:
        """E min(length, cap)^2, token^2. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        z = self._z(caps)
        ended = np.exp(2.0 * np.log(self.median) + 2.0 * self.spread**2 + log_ndtr(z - 2.0 * self.spread))
        return np.minimum(ended + caps * caps * ndtr(-z), caps * caps)

    def third_moment(self, tokens: npt.ArrayLike) -> Array:
        """Third central moment of min(length, cap), token^3. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        z = self._z(caps)
        # In units of the cap, so that the cubes of long caps keep their digits.
        log_unit = np.log(np.maximum(caps, 1e-300))
        terms = (np.exp(k * (np.log(self.median) - log_unit) + 0.5 * (k * self.spread) ** 2
                        + log_ndtr(z - k * self.spread)) + ndtr(-z) for k in (1.0, 2.0, 3.0))  # fmt: skip
        return central_third(*terms) * caps**3

    def hazard(self, tokens: npt.ArrayLike) -> Array:
        """Top m(z)/(spread cap), value/token, m the inverse Mills ratio; 0 at cap 0. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            worth = self.top * inverse_mills(self._z(caps)) / (self.spread * caps)
        return np.where(caps > 0.0, worth, 0.0)

    @cached_property
    def _relative_hazard_peak(self) -> Array:
        return relative_hazard_peak(self.spread)

    @cached_property
    def hazard_falls_from(self) -> Array:
        """Cap with the highest hazard, token; the ceiling where it rises all the way (spread below about 0.16)."""
        return np.minimum(self.median * np.exp(self.spread * self._relative_hazard_peak), self.ceiling)

    def hazard_stationary(self, price: npt.ArrayLike) -> Array:
        """Cap beyond the peak of the hazard where it equals `price`, at most the ceiling. O(n) per step, 6 or so."""
        # log m(z) - spread z = log(price spread median/top). Concave and falling beyond the peak, so that Newton's
        # steps from the far end never pass the root.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            asked = np.log(np.asarray(price, dtype=np.float64))
            target = asked + np.log(self.spread) + np.log(self.median) - np.log(self.top)
        target = np.where(np.isnan(target), np.inf, target)
        z, first = np.broadcast_to(_CEILING, target.shape), self._relative_hazard_peak
        for _ in range(60):
            m = inverse_mills(z)
            with np.errstate(divide="ignore", invalid="ignore"):
                excess = np.log(m) - self.spread * z - target
                lowered = z - np.where(excess < 0.0, excess / (m - z - self.spread), 0.0)
            lowered = np.where(lowered > first, lowered, first)
            moved = (lowered < z - 1e-13 * (1.0 + np.abs(z))).any()
            z = np.minimum(lowered, z)
            if not moved:
                break
        wanted: Array = np.minimum(self.median * np.exp(self.spread * z), self.ceiling)
        return wanted

    def _z(self, tokens: npt.ArrayLike) -> Array:
        with np.errstate(divide="ignore"):
            return (np.log(np.asarray(tokens, dtype=np.float64)) - np.log(self.median)) / self.spread
