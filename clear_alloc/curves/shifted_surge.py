"""The shifted surge of the paper: nothing below a threshold, then a rise to one peak."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.validate import MAX_TOKENS, broadcast, check, column
from clear_alloc.curves.location_scale import LocationScale
from clear_alloc.curves.special.lambert_w import w0
from clear_alloc.support.parallel import cached_property
from clear_alloc.support.types import Array

__all__ = ["ShiftedSurge"]


class ShiftedSurge(LocationScale):
    """U(b) = weight peak (x/s) exp(1 - x/s) for 0 <= x <= s, and weight peak beyond, with x = b - threshold.

    Parameters are scalars or arrays of shape (n,).

    threshold : token, >= 0. tau of the paper: below it tokens buy nothing.
    width : token, > 0. s = 1/beta: distance from the threshold to the peak.
    peak : probability of a right answer at the peak, in (0, 1]; alpha/(beta e).
    weight : value of one right answer, >= 0.

    Wan et al. 2026, the latent utility. Beyond the peak the curve stays level: nobody is made to use tokens.

    >>> import clear_alloc as ca
    >>> curves = ca.ShiftedSurge(threshold=[200, 900], width=200, peak=0.8)
    >>> curves.utility([400, 900])
    array([0.8, 0. ])
    >>> curves.demand(price=1e-3).round(1)
    array([359.2,   0. ])
    """

    family: ClassVar[str] = "shifted_surge"
    parameters: ClassVar[tuple[str, ...]] = ("threshold", "width", "peak")

    full_at = 1.0

    peak: Array

    def __init__(
        self, threshold: npt.ArrayLike, width: npt.ArrayLike, peak: npt.ArrayLike, weight: npt.ArrayLike = 1.0
    ):
        self._check_and_store(threshold, width, peak, weight)

    @classmethod
    def from_alpha_beta(
        cls, threshold: npt.ArrayLike, alpha: npt.ArrayLike, beta: npt.ArrayLike, weight: npt.ArrayLike = 1.0
    ) -> Self:
        """The paper's parameters: alpha (b - tau)+ exp(-beta (b - tau)), alpha in value/token, beta in 1/token.

        The height alpha/(beta e) of a latent utility may exceed 1; what exceeds 1 is carried by `weight`, so
        that the utility is the paper's to the last bit of meaning.
        """
        given = {"alpha": alpha, "beta": beta, "weight": weight}
        columns = broadcast({name: column(name, values) for name, values in given.items()})
        for name in ("alpha", "beta"):
            check(name, columns[name], columns[name] > 0, "above 0", "give the surge a positive slope and decay")
        with np.errstate(over="ignore"):
            width = 1.0 / columns["beta"]
            height = columns["alpha"] * width / np.e
        allowed = "alpha/(beta e) and 1/beta at most 2**53"
        check("beta", columns["beta"], (height <= MAX_TOKENS) & (width <= MAX_TOKENS), allowed, "check the units")
        return cls(threshold, width, np.minimum(height, 1.0), np.maximum(height, 1.0) * columns["weight"])

    @property
    def concave_from(self) -> Array:
        """The threshold: the surge bends down from its first token on."""
        return self.threshold

    @cached_property
    def _width_per_top(self) -> Array:
        with np.errstate(divide="ignore", over="ignore"):
            return self.width / self.top

    @cached_property
    def _root_ratio(self) -> Array:
        # At most sqrt(MAX_TOKENS/MIN_SCALE), whose square is far from the largest float.
        ratio = self.threshold / self.width
        return np.sqrt(ratio, out=ratio)

    @cached_property
    def _root_sum(self) -> Array:
        # sqrt(q^2 + 4) + q, of which both tangent quantities are made.
        total = self._root_ratio * self._root_ratio
        total += 4.0
        np.sqrt(total, out=total)
        total += self._root_ratio
        return total

    @cached_property
    def _relative_break_even(self) -> Array:
        # x_t = (sqrt(T^2 + 4 T s) - T)/2 without its cancellation: x_t/s = 2 q/(sqrt(q^2 + 4) + q), q^2 = T/s.
        return 2.0 * self._root_ratio / self._root_sum

    @cached_property
    def _reservation(self) -> Array:
        # U'(x_t) = (top/s)(1 - y) exp(1 - y) with 1 - y = y^2 s/T = 4/(sqrt(q^2 + 4) + q)^2: exact at T = 0 too.
        steepness = 2.0 / self._root_sum
        slope = self.top * steepness
        slope *= steepness
        slope /= self.width
        rest = 1.0 - self._relative_break_even
        slope *= np.exp(rest, out=rest)
        return slope

    def _shape(self, factor: Array, y: Array) -> Array:
        # y exp(1 - y) up to the peak.
        np.minimum(y, 1.0, out=y)
        value = factor * y
        rest = np.subtract(1.0, y, out=y)
        value *= np.exp(rest, out=rest)
        return value

    def _shape_slope(self, factor: Array, y: Array) -> Array:
        # (1 - y) exp(1 - y); the shape jumps to it at the threshold and ends at the peak.
        inside = (y >= 0.0) & (y < 1.0)
        rest = 1.0 - np.where(inside, y, 1.0)
        return factor * rest * np.exp(rest)

    def _shape_survival(self, y: Array) -> Array:
        np.minimum(y, 1.0, out=y)
        share: Array = -np.expm1(np.log(np.maximum(y, 1e-300)) + 1.0 - y)
        return share

    def _shape_inverse(self, price: Array) -> Array:
        # (1 - y) exp(1 - y) = price s/top.  With w = 1 - y:  w exp(w) = price s/top.
        with np.errstate(invalid="ignore", over="ignore"):
            k = price * self._width_per_top
        # Beyond e the stationary point lies below the threshold; a worthless curve (top 0) wants nothing.
        rest = w0(np.fmin(k, np.e, out=k))
        return np.subtract(1.0, rest, out=rest)

    def literal(self, tokens: npt.ArrayLike) -> Array:
        """The paper's own curve, which falls again beyond the peak; for plots and replication only."""
        y = self._relative(tokens)
        return self.top * y * np.exp(1.0 - y)
