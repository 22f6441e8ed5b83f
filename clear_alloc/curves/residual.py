"""What is left of a curve once its query has used some tokens without finishing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clear_alloc.curves.base import Accounting, Smooth, require_reserved
from clear_alloc.curves.columns import Array
from clear_alloc.curves.tangent import steepest_chord
from clear_alloc.errors import NotSupported

__all__ = ["Arrival", "Residual"]


class Arrival(Smooth):
    """Smooth curves read as arrivals: they know which share of the right answers is still to come."""

    @abstractmethod
    def unfinished(self, tokens: npt.ArrayLike) -> Array:
        """Share of the right answers that arrive after `tokens`, accurate where it is small. O(n)."""

    @property
    @abstractmethod
    def _reservation(self) -> Array: ...

    def reservation_price(self, accounting: Accounting = "reserved") -> Array:
        """U(break_even)/break_even, value/token; the slope at 0 where the curve is concave from its first token."""
        require_reserved(accounting)
        return self._reservation

    def _after(self, spent: Array) -> Residual:
        return Residual(self, spent)


class Residual(Smooth):
    """U(b) = top (1 - S(spent + b)/S(spent)), where S is the share of arrivals still to come.

    Made by `curves.after(spent)`; `tokens` are now those granted from here on. Given the query, an answer is as
    likely to be right whether it comes early or late, so what is conditioned on is only that it has not come yet.
    A curve with nothing left to come is 0 everywhere.
    """

    parameters: ClassVar[tuple[str, ...]] = ("spent",)

    spent: Array

    def __init__(self, whole: Arrival, spent: Array):
        self.whole, self.spent, self.weight = whole, spent, whole.weight
        self.family = f"{whole.family}_after"  # type: ignore[misc]

    def _after(self, spent: Array) -> Residual:
        return Residual(self.whole, self.spent + spent)

    @cached_property
    def _unfinished(self) -> Array:
        share = self.whole.unfinished(self.spent)
        # Past its ceiling a curve has nothing left that is worth a token.
        return np.where(self.spent < self.whole.ceiling, share, 0.0)

    @property
    def _scale(self) -> Array:
        with np.errstate(divide="ignore"):
            return np.where(self._unfinished > 0.0, 1.0 / self._unfinished, 0.0)

    def take(self, rows: npt.NDArray[np.intp]) -> Self:
        """The curves at the given row numbers, in that order."""
        return type(self)(self.whole.take(rows), self.spent[rows])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """One column out of several whose whole curves are of one family."""
        whole = type(parts[0].whole).joined([part.whole for part in parts])
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
    def _chord(self) -> tuple[Array, Array]:
        zero = np.zeros(len(self))
        return steepest_chord(self, zero, zero, self.concave_from, self.ceiling)

    @property
    def break_even(self) -> Array:
        """Cap with the highest value per token; 0 where the curve is concave from here on."""
        return self._chord[1]

    def reservation_price(self, accounting: Accounting = "reserved") -> Array:
        """Highest value per token that is still to be had, value/token."""
        require_reserved(accounting)
        return self._chord[0]

    def utility(self, tokens: npt.ArrayLike) -> Array:
        """Value of a further cap. O(n)."""
        later = self.whole.unfinished(self.spent + np.asarray(tokens, dtype=np.float64))
        return self.top * np.clip(1.0 - later * self._scale, 0.0, 1.0)

    def marginal(self, tokens: npt.ArrayLike) -> Array:
        """Slope at a further cap, value/token. O(n)."""
        return self.whole.marginal(self.spent + np.asarray(tokens, dtype=np.float64)) * self._scale

    def stationary(self, price: npt.ArrayLike) -> Array:
        """Further cap where the marginal value equals `price`. O(n)."""
        return self.whole.stationary(np.asarray(price, dtype=np.float64) * self._unfinished) - self.spent
