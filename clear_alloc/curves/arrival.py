"""Families read as arrivals of right answers: what follows from the share that is still to come."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clear_alloc.curves.base import Smooth
from clear_alloc.curves.residual import Residual
from clear_alloc.curves.tangent import tangent_from_zero
from clear_alloc.support.parallel import cached_property
from clear_alloc.support.types import Array

__all__ = ["Arrival", "central_third"]


def central_third(mean: Array, square: Array, cube: Array) -> Array:
    """Third central moment from the raw ones."""
    return cube - 3.0 * square * mean + 2.0 * mean**3


class Arrival(Smooth):
    """A family whose last parameter is the chance of a right answer without a limit."""

    @cached_property
    def _reservation_per_run(self) -> Array:
        return tangent_from_zero(self, "expected")[0]

    def length_survival(self, tokens: npt.ArrayLike) -> Array:
        """Share of completions that burn more than `tokens`, right or wrong: both are taken as equally long. O(n)."""
        return self.answer_survival(tokens) if self.knows_lengths else super().length_survival(tokens)

    def deviation(self, tokens: npt.ArrayLike) -> Array:
        """Standard deviation of what a completion burns under a cap, token. O(n)."""
        return np.sqrt(np.maximum(self.expected_square(tokens) - self.expected_cost(tokens) ** 2, 0.0))

    def _after(self, spent: Array) -> Residual:
        return Residual(self, spent)
