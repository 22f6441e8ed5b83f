"""What is left of a curve once its query has used some tokens without finishing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clear_alloc.curves.base import Accounting, Rows, Smooth, checked_accounting
from clear_alloc.curves.tangent import tangent_from_zero
from clear_alloc.errors import NotSupported
from clear_alloc.support.parallel import cached_property
from clear_alloc.support.types import Array

__all__ = ["Residual"]


class Residual(Smooth):
    """U(b) = top (1 - S(spent + b)/S(spent)), where S is the share of arrivals still to come.

    Made by `curves.after(spent)`; `tokens` are now those granted from here on. Given the query, an answer is as
    likely to be right whether it comes early or late. So the only condition is that it has not come yet. A curve
    with nothing left to come is 0 everywhere.
    """

    parameters: ClassVar[tuple[str, ...]] = ("spent",)

    spent: Array

    def __init__(self, whole: Smooth, spent: Array):
        self.whole, self.spent, self.weight = whole, spent, whole.weight
        self.knows_lengths = whole.knows_lengths  # type: ignore[misc]
        self.family = f"{whole.family}_after"  # type: ignore[misc]

    def _after(self, spent: Array) -> Residual:
        return Residual(self.whole, self.spent + spent)

    @cached_property
    def _unfinished(self) -> Array:
        share = self.whole.answer_survival(self.spent)
        # Past its ceiling a curve has nothing left that is worth a token.
        return np.where(self.spent < self.whole.ceiling, share, 0.0)

    @property
    def _scale(self) -> Array:
        with np.errstate(divide="ignore"):
            return np.where(self._unfinished > 0.0, 1.0 / self._unfinished, 0.0)

    def take(self, rows: Rows) -> Self:
        """The curves at the given row numbers, in that order."""
        return type(self)(self.whole.take(rows), self.spent[rows])

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """One column out of several whose whole curves are of one family."""
        whole = type(parts[0].whole).concatenate([part.whole for part in parts])
        return cls(whole, np.concatenate([part.spent for part in parts]))

    def to_records(self) -> list[dict[str, Any]]:
        """Residual curves live for one re-allocation; write the whole curves and the tokens spent instead."""
        raise NotSupported("curves.after(spent) can't be written; write the whole curves and keep spent beside them")

    @property
    def top(self) -> Array:
        """Utility of an unlimited cap, value."""
        return np.where(self._unfinished > 0.0, self.whole.top, 0.0)

    @property
    def emergence(self) -> Array:
        """What is left of the emergence threshold, token."""
        return np.maximum(self.whole.emergence - self.spent, 0.0)

    @property
    def concave_from(self) -> Array:
        """What is left to the concave branch, token."""
        return np.minimum(np.maximum(self.whole.concave_from - self.spent, 0.0), self.ceiling)

    @property
    def ceiling(self) -> Array:
        """What is left to the ceiling, token."""
        return np.maximum(self.whole.ceiling - self.spent, 0.0)

    @cached_property
    def _tangent(self) -> tuple[Array, Array]:
        return tangent_from_zero(self, "reserved")

    @cached_property
    def _reservation_per_run(self) -> Array:
        return tangent_from_zero(self, "expected")[0]

    @property
    def break_even(self) -> Array:
        """Cap with the highest value per token; 0 where the curve is concave from here on."""
        return self._tangent[1]

    def reservation_price(self, accounting: Accounting = "reserved") -> Array:
        """Highest value per token that is still to be had, value/token."""
        return self._reservation_per_run if checked_accounting(accounting) == "expected" else self._tangent[0]

    def utility(self, tokens: npt.ArrayLike) -> Array:
        """Value of a further cap. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        arrived = np.clip(1.0 - self.answer_survival(caps), 0.0, 1.0)
        # x (1/x) may be a hair below 1: no cap would be worth something.
        return self.top * np.where(caps > 0.0, arrived, 0.0)

    def answer_survival(self, tokens: npt.ArrayLike) -> Array:
        """Share of the right answers still to come that arrive after `tokens` from here on. O(n)."""
        return self.whole.answer_survival(self.spent + np.asarray(tokens, dtype=np.float64)) * self._scale

    def marginal(self, tokens: npt.ArrayLike) -> Array:
        """Slope at a further cap, value/token. O(n)."""
        return self.whole.marginal(self.spent + np.asarray(tokens, dtype=np.float64)) * self._scale

    def inverse_marginal(self, price: npt.ArrayLike) -> Array:
        """Further cap where the marginal value equals `price`. O(n)."""
        return self.whole.inverse_marginal(np.asarray(price, dtype=np.float64) * self._unfinished) - self.spent

    def length_survival(self, tokens: npt.ArrayLike) -> Array:
        """Share of the completions still running that burn more than `tokens` from here on. O(n)."""
        return np.minimum(
            self.whole.length_survival(self.spent + np.asarray(tokens, dtype=np.float64)) * self._scale, 1.0
        )

    def expected_cost(self, tokens: npt.ArrayLike) -> Array:
        """Mean of what a completion still burns under a further cap, token. O(n)."""
        caps = np.asarray(tokens, dtype=np.float64)
        more = self.whole.expected_cost(self.spent + caps) - self.whole.expected_cost(self.spent)
        return np.clip(more * self._scale, 0.0, caps)

    def deviation(self, tokens: npt.ArrayLike) -> Array:
        """Standard deviation of what a completion still burns under a further cap, token. O(n)."""
        # E (X - s)^2 over X > s, X capped at s + b, from the whole's moments: their common part cancels.
        end = self.spent + np.asarray(tokens, dtype=np.float64)
        square = self.whole.expected_square(end) - self.whole.expected_square(self.spent)
        more = self.whole.expected_cost(end) - self.whole.expected_cost(self.spent)
        second = (square - 2.0 * self.spent * more) * self._scale
        # Late in a wide curve rounding is all that is left of it: nothing between 0 and b varies more than this.
        mean = self.expected_cost(tokens)
        return np.sqrt(np.clip(second - mean**2, 0.0, mean * (np.asarray(tokens, dtype=np.float64) - mean)))

    def hazard_value(self, tokens: npt.ArrayLike) -> Array:
        """Value per token still expected to be burned, at the margin of a further cap. O(n)."""
        later = self.whole.hazard_value(self.spent + np.asarray(tokens, dtype=np.float64))
        return np.where(self._unfinished > 0.0, later, 0.0)

    @property
    def hazard_peak(self) -> Array:
        """What is left to the branch of falling hazard, token."""
        return np.minimum(np.maximum(self.whole.hazard_peak - self.spent, 0.0), self.ceiling)

    def inverse_hazard(self, price: npt.ArrayLike) -> Array:
        """Further cap on the branch of falling hazard where it equals `price`. O(n)."""
        return self.whole.inverse_hazard(price) - self.spent
