"""The surge read as the density of the lengths at which right answers arrive; its integral is the utility."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.validate import MAX_TOKENS
from clear_alloc.curves.arrival import central_third
from clear_alloc.curves.location_scale import LocationScale
from clear_alloc.curves.special.lambert_w import w_minus_one
from clear_alloc.support.parallel import cached_property
from clear_alloc.support.types import Array

__all__ = ["CumulativeSurge"]

_STEEPEST_FROM_ZERO = 1.7932821329007607  # y > 0 with exp(y) = 1 + y + y^2: break-even at threshold 0
_CEILING = 23.939728  # (1 + y) exp(-y) falls to CEILING_SHORTFALL here


def relative_break_even(ratio: Array) -> Array:
    """The y = x_t/s whose tangent passes through the origin, given threshold/s >= 0. Relative error 1e-13."""
    # (r + y) y exp(-y) = 1 - (1 + y) exp(-y)  <=>  r(y) = (exp(y) - 1)/y - 1 - y, which rises from y0 on.
    y = np.maximum(_STEEPEST_FROM_ZERO, np.log1p(ratio) + np.log1p(np.log1p(ratio)) + 0.5)
    for _ in range(8):  # Newton on the logarithm of 1 + r, from which r(y) is nearly straight
        e = np.expm1(y)
        g = e / y - y
        slope = (e * (y - 1.0) + y) / (y * y) - 1.0
        y = np.maximum(y - g / slope * np.log(g / (1.0 + ratio)), _STEEPEST_FROM_ZERO)
    return y


class CumulativeSurge(LocationScale):
    """U(b) = weight solvability (1 - (1 + x/s) exp(-x/s)) with x = b - threshold >= 0, else 0.

    Parameters are scalars or arrays of shape (n,).

    threshold : token, >= 0. No answer arrives before it.
    width : token, > 0. s = 1/beta: the most frequent arrival is at threshold + s.
    solvability : chance that the query is answered right at any length, in (0, 1].
    weight : value of one right answer, >= 0.

    The integral of Wan et al. 2026's surge; it fits their Figure 1. Flat, convex up to threshold + s, concave beyond.
    """

    family: ClassVar[str] = "cumulative_surge"
    parameters: ClassVar[tuple[str, ...]] = ("threshold", "width", "solvability")
    knows_lengths = True
    full_at = _CEILING

    solvability: Array

    def __init__(
        self,
        threshold: npt.ArrayLike,
        width: npt.ArrayLike,
        solvability: npt.ArrayLike,
        weight: npt.ArrayLike = 1.0,
    ):
        self._check_and_store(threshold, width, solvability, weight)

    @cached_property
    def concave_from(self) -> Array:
        """Threshold + width, token: the most frequent arrival."""
        return np.minimum(self.threshold + self.width, MAX_TOKENS)

    @cached_property
    def _relative_break_even(self) -> Array:
        return np.minimum(relative_break_even(self.threshold / self.width), _CEILING)

    @cached_property
    def _reservation(self) -> Array:
        return self.top * _arrived(self._relative_break_even) / self.break_even

    def _shape(self, factor: Array, y: Array) -> Array:
        return factor * _arrived(y)

    def _shape_slope(self, factor: Array, y: Array) -> Array:
        np.maximum(y, 0.0, out=y)
        return factor * y * np.exp(-y)

    def _shape_survival(self, y: Array) -> Array:
        share: Array = (1.0 + y) * np.exp(-y)
        return share

    def _shape_inverse(self, price: Array) -> Array:
        # y exp(-y) = price s/top on the falling side of the density, y >= 1: y = -W_{-1}(-price s/top).
        with np.errstate(divide="ignore", invalid="ignore"):
            log_k = np.log(price) + self._log_scale
        log_k[np.isnan(log_k)] = np.inf  # a worthless curve at a price of 0
        return w_minus_one(log_k)

    @cached_property
    def _log_scale(self) -> Array:
        with np.errstate(divide="ignore"):
            scale: Array = np.log(self.width) - np.log(self.top)
        return scale

    def expected_cost(self, tokens: npt.ArrayLike) -> Array:
        """E min(length, cap): the cap up to the threshold, then threshold + s (2 - (2 + y) exp(-y)), token. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        y = self._relative(caps)
        beyond = self.width * (2.0 * -np.expm1(-y) - y * np.exp(-np.minimum(y, 700.0)))
        burned: Array = np.minimum(np.minimum(caps, self.threshold) + beyond, caps)
        return burned

    def deviation(self, tokens: npt.ArrayLike) -> Array:
        """Standard deviation of min(length, cap), token; of the time beyond the threshold alone. O(n)."""
        y = np.minimum(self._relative(tokens), 700.0)
        mean = -2.0 * np.expm1(-y) - y * np.exp(-y)
        square = -6.0 * np.expm1(-y) - (6.0 * y + 2.0 * y * y) * np.exp(-y)
        spread: Array = self.width * np.sqrt(np.maximum(square - mean * mean, 0.0))
        return spread

    def third_moment(self, tokens: npt.ArrayLike) -> Array:
        """Third central moment of min(length, cap), token^3. O(n)."""
        y = np.minimum(self._relative(tokens), 700.0)
        e, lost = np.exp(-y), -np.expm1(-y)
        square = 6.0 * lost - (6.0 * y + 2.0 * y * y) * e
        cube = 24.0 * lost - (24.0 * y + 12.0 * y * y + 3.0 * y**3) * e
        return central_third(2.0 * lost - y * e, square, cube) * self.width**3

    def expected_square(self, tokens: npt.ArrayLike) -> Array:
        """E min(length, cap)^2, token^2. O(n)."""
        return self.expected_cost(tokens) ** 2 + self.deviation(tokens) ** 2

    def hazard_value(self, tokens: npt.ArrayLike) -> Array:
        """(top/s) y/(1 + y), value/token: it rises with the cap, so a query is best run to its end or not at all."""
        y = self._relative(tokens)
        worth: Array = self.top / self.width * y / (1.0 + y)
        return worth

    @property
    def hazard_peak(self) -> Array:
        """The ceiling, token: the hazard never falls."""
        return self.ceiling

    def inverse_hazard(self, price: npt.ArrayLike) -> Array:
        """The ceiling, token."""
        return np.broadcast_to(self.ceiling, np.broadcast_shapes(np.shape(price), self.ceiling.shape))


def _arrived(y: Array) -> Array:
    # 1 - (1 + y) exp(-y), written so that small y keeps its digits.
    bounded = np.minimum(y, 700.0)
    share: Array = -np.expm1(-bounded) - bounded * np.exp(-bounded)
    return share
