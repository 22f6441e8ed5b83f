"""What curves of one shape share: a threshold shifts the shape, a width stretches it, a height scales it."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.validate import MAX_TOKENS, at_least, positive, probability, resolvable
from clear_alloc.curves.arrival import Arrival
from clear_alloc.support.parallel import cached_property
from clear_alloc.support.types import Array

__all__ = ["LocationScale"]


class LocationScale(Arrival):
    """U(b) = top G(y) with y = max((b - threshold)/width, 0); a family gives the shape G.

    A family names its height, a chance, last among its `parameters`. Factors are multiplied from left to right, so
    that no product is rounded twice. A family may overwrite the y that it is given.
    """

    full_at: ClassVar[float]  # the y at which G reaches its top, to within CEILING_SHORTFALL

    threshold: Array
    width: Array

    def _check_and_store(
        self, threshold: npt.ArrayLike, width: npt.ArrayLike, height: npt.ArrayLike, weight: npt.ArrayLike
    ) -> None:
        *_, name = self.parameters
        columns = {
            "threshold": at_least("threshold", threshold, 0.0, "tokens"),
            "width": positive("width", width),
            name: probability(name, height),
        }
        resolvable(columns["width"], columns["threshold"])
        self._store(columns, weight)

    @abstractmethod
    def _shape(self, factor: Array, y: Array) -> Array:
        """The factor times G(y), y >= 0."""

    @abstractmethod
    def _shape_slope(self, factor: Array, y: Array) -> Array:
        """The factor times G'(y), 0 where y < 0."""

    @abstractmethod
    def _shape_survival(self, y: Array) -> Array:
        """1 - G(y), y >= 0, accurate where it is small."""

    @abstractmethod
    def _shape_inverse(self, price: Array) -> Array:
        """The y on the concave branch with top/width G'(y) = price, a new array."""

    @property
    @abstractmethod
    def _relative_break_even(self) -> Array:
        """The y whose tangent passes through the origin."""

    def _relative(self, tokens: npt.ArrayLike) -> Array:
        """The y of a cap, a new array."""
        y = np.asarray(tokens, dtype=np.float64) - self.threshold
        y /= self.width
        return np.maximum(y, 0.0, out=y)

    @cached_property
    def ceiling(self) -> Array:
        """Cap at which the curve reaches its top, to within CEILING_SHORTFALL, token."""
        return np.minimum(self.threshold + self.full_at * self.width, MAX_TOKENS)

    @cached_property
    def break_even(self) -> Array:
        """Cap with the highest value per token: threshold + x_t."""
        return np.minimum(self.threshold + self.width * self._relative_break_even, MAX_TOKENS)

    @property
    def emergence(self) -> Array:
        """The threshold, token."""
        return self.threshold

    def utility(self, tokens: npt.ArrayLike) -> Array:
        """Value of a cap. O(n)."""
        return self._shape(self.top, self._relative(tokens))

    def answer_survival(self, tokens: npt.ArrayLike) -> Array:
        """Share of the right answers that arrive after `tokens`. O(n)."""
        return self._shape_survival(self._relative(tokens))

    def marginal(self, tokens: npt.ArrayLike) -> Array:
        """Slope at a cap, value/token; 0 below the threshold. O(n)."""
        y = np.asarray(tokens, dtype=np.float64) - self.threshold
        y /= self.width
        return self._shape_slope(self.top / self.width, y)

    def inverse_marginal(self, price: npt.ArrayLike) -> Array:
        """Threshold + width y, where G has the slope price width/top, token. O(n)."""
        caps = self._shape_inverse(np.asarray(price, dtype=np.float64))
        caps *= self.width
        caps += self.threshold
        return caps
