"""What every family of curves can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast, get_args

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.constant import take_columns
from clear_alloc.columns.validate import at_least, broadcast
from clear_alloc.errors import InvalidArgument, NotSupported
from clear_alloc.support.parallel import cached_property
from clear_alloc.support.types import Array, Index

__all__ = ["CEILING_SHORTFALL", "Accounting", "Curves", "Rows", "Smooth", "checked_accounting", "checked_price"]

Accounting = Literal["reserved", "expected"]
Rows = Index | slice

CEILING_SHORTFALL = 1e-9  # of the top: curves that never reach it are taken as flat from here on


def checked_accounting(accounting: object) -> Accounting:
    """`reserved` or `expected`; InvalidArgument for anything else."""
    if isinstance(accounting, str) and accounting in get_args(Accounting):
        return cast(Accounting, accounting)
    raise InvalidArgument("accounting", accounting, "'reserved' or 'expected'", "choose one of the two")


def checked_price(price: npt.ArrayLike, argument: str = "price") -> Array:
    """Prices as float64; InvalidArgument unless all are finite and not negative."""
    asked = np.asarray(price, dtype=np.float64)
    if not (np.isfinite(asked).all() and (asked >= 0).all()):
        raise InvalidArgument(argument, price, "finite and >= 0, value/token", "pass a price, not its logarithm")
    return asked


class Curves(ABC):
    """A column of n reasoning-utility curves: the value of each query's answer against its cap.

    Arrays in and out have shape (n,); `tokens` may also have shape (..., n). Curves are immutable.
    """

    weight: Array

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, rows: Rows) -> Self:
        """The curves at the given row numbers, in that order, or of a slice."""

    @abstractmethod
    def utility(self, tokens: npt.ArrayLike) -> Array:
        """Value of a cap of `tokens`; never falls as tokens grow (free disposal). O(n)."""

    @abstractmethod
    def demand(self, price: npt.ArrayLike, accounting: Accounting = "reserved") -> Array:
        """Cap (token) with the highest utility - price x cost; 0 where no cap has positive surplus.

        price : value/token, >= 0; a scalar or shape (n,). O(n).
        """

    @abstractmethod
    def reservation_price(self, accounting: Accounting = "reserved") -> Array:
        """Lowest price (value/token) at which the query demands nothing. O(n)."""

    @property
    @abstractmethod
    def ceiling(self) -> Array:
        """Cap (token) beyond which no more value is to be had; the demand at price 0."""

    @property
    @abstractmethod
    def emergence(self) -> Array:
        """Emergence threshold (token), or the scale that stands in its place: what simple policies sort by."""

    def after(self, spent: npt.ArrayLike) -> Curves:
        """The curves of queries that have used `spent` tokens without finishing: value against *further* tokens.

        spent : token, >= 0, a scalar or shape (n,). Lets a running batch be allocated again. O(n).
        """
        column = at_least("spent", spent, 0.0, "tokens")
        if len(column) not in (1, len(self)):
            found, allowed = f"of length {len(column)}", f"length {len(self)} or a scalar"
            raise InvalidArgument("spent", found, allowed, "pass the tokens used by each query")
        return self._after(np.broadcast_to(column, len(self)))

    @abstractmethod
    def _after(self, spent: Array) -> Curves: ...

    @property
    def capped(self) -> npt.NDArray[np.bool_]:
        """Whether the tokens of a query are a cap that can be sent to an engine, (n,); see `Menu.capped`."""
        return np.ones(len(self), dtype=np.bool_)

    @abstractmethod
    def to_records(self) -> list[dict[str, Any]]:
        """One dict per query: `family` and that family's parameters, as plain numbers."""

    def cost(self, tokens: npt.ArrayLike, accounting: Accounting = "reserved") -> Array:
        """Tokens charged to the budget for a cap: the cap itself, or under expected accounting E min(length, cap).

        Raises NotSupported where expected accounting is asked of a family that knows no lengths. O(n).
        """
        caps = np.asarray(tokens, dtype=np.float64)
        if checked_accounting(accounting) == "expected":
            return self.expected_cost(caps)
        return np.broadcast_to(caps, np.broadcast_shapes(caps.shape, (len(self),)))

    @abstractmethod
    def expected_cost(self, tokens: npt.ArrayLike) -> Array:
        """Mean of what a completion burns under a cap, token. O(n)."""

    @abstractmethod
    def deviation(self, tokens: npt.ArrayLike) -> Array:
        """Standard deviation of what a completion burns under a cap, token. O(n)."""

    def third_moment(self, tokens: npt.ArrayLike) -> Array:
        """Third central moment of what a completion burns under a cap, token^3; 0 where it is not known. O(n)."""
        return np.zeros(np.broadcast_shapes(np.shape(tokens), (len(self),)))

    def __getitem__(self, index: Any) -> Self:
        """Rows by boolean mask, slice, integer or integer array; always a column of curves."""
        mask = np.asarray(index) if not isinstance(index, slice) else None
        if mask is not None and mask.dtype == bool and mask.shape != (len(self),):
            raise InvalidArgument(
                "index",
                f"a mask of shape {mask.shape}",
                f"a mask of shape ({len(self)},)",
                "pass one flag per query",
            )
        if mask is not None and mask.size == 0:
            return self.take(np.empty(0, dtype=np.intp))
        return self.take(np.atleast_1d(np.arange(len(self))[index]))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,} curves>"


class Smooth(Curves):
    """Curves that are flat, then convex, then concave, given by a few parameters per query."""

    family: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]]
    knows_lengths: ClassVar[bool] = False  # whether expected accounting can be asked for

    def _store(self, columns: Mapping[str, Array], weight: npt.ArrayLike) -> None:
        checked = {**columns, "weight": at_least("weight", weight, 0.0, "value")}
        for name, array in broadcast(checked).items():
            setattr(self, name, array)

    def _columns(self) -> dict[str, Array]:
        return {name: getattr(self, name) for name in (*self.parameters, "weight")}

    def take(self, rows: Rows) -> Self:
        """The curves at the given row numbers, in that order, or of a slice; nothing is checked again. O(rows)."""
        columns = self._columns()
        return self._of(dict(zip(columns, take_columns(rows, *columns.values()), strict=True)))

    @classmethod
    def _of(cls, columns: Mapping[str, Array]) -> Self:
        new = object.__new__(cls)
        for name, array in columns.items():
            array.flags.writeable = False
            setattr(new, name, array)
        return new

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """One column out of several of the same family."""
        columns = [part._columns() for part in parts]
        return cls._of({name: np.concatenate([c[name] for c in columns]) for name in columns[0]})

    def __len__(self) -> int:
        return len(self.weight)

    def to_records(self) -> list[dict[str, Any]]:
        """One dict per query: `family` and that family's parameters, as plain numbers."""
        columns = self._columns()
        rows = zip(*(array.tolist() for array in columns.values()), strict=True)
        return [{"family": self.family, **dict(zip(columns, row, strict=True))} for row in rows]

    @property
    @abstractmethod
    def concave_from(self) -> Array:
        """Cap (token) from which the curve is concave."""

    @abstractmethod
    def answer_survival(self, tokens: npt.ArrayLike) -> Array:
        """Share of the right answers that arrive after `tokens`, accurate where it is small. O(n)."""

    def expected_cost(self, tokens: npt.ArrayLike) -> Array:  # noqa: ARG002
        """Mean of what a completion burns under a cap, token. O(n)."""
        raise self._knows_no_lengths()

    def expected_square(self, tokens: npt.ArrayLike) -> Array:  # noqa: ARG002
        """Mean of min(length, cap)^2, token^2. O(n)."""
        raise self._knows_no_lengths()

    def deviation(self, tokens: npt.ArrayLike) -> Array:  # noqa: ARG002
        """Standard deviation of what a completion burns under a cap, token. O(n)."""
        raise self._knows_no_lengths()

    def length_survival(self, tokens: npt.ArrayLike) -> Array:  # noqa: ARG002
        """Share of completions that burn more than `tokens`: the slope of the expected cost. O(n)."""
        raise self._knows_no_lengths()

    def hazard_value(self, tokens: npt.ArrayLike) -> Array:  # noqa: ARG002
        """Value per token that is expected to be burned, at the margin of a cap; value/token. O(n)."""
        raise self._knows_no_lengths()

    @property
    def hazard_peak(self) -> Array:
        """Cap (token) from which the hazard falls: the utility is concave in its expected cost."""
        raise self._knows_no_lengths()

    @property
    def likely_run(self) -> Array | None:
        """Cap near the one that is worth most per token expected to be burned, None where there is no guess."""
        return None

    def inverse_hazard(self, price: npt.ArrayLike) -> Array:  # noqa: ARG002
        """Cap on the branch of falling hazard where it equals `price`, unbounded above. O(n)."""
        raise self._knows_no_lengths()

    def _knows_no_lengths(self) -> NotSupported:
        return NotSupported(
            f"accounting='expected' needs to know how long completions are, and family {self.family!r} doesn't; "
            "use lognormal, cumulative_surge or a menu with expected costs, or accounting='reserved'"
        )

    @property
    @abstractmethod
    def break_even(self) -> Array:
        """Cap (token) at which value per token is highest: the tangent from the origin."""

    @cached_property
    def top(self) -> Array:
        """Utility of an unlimited cap, value: weight times the last parameter, a chance."""
        chance: Array = getattr(self, self.parameters[-1])
        return self.weight * chance

    @property
    def _reservation(self) -> Array:
        """U(break_even)/break_even; the slope at 0 where the curve is concave from its start."""
        raise NotImplementedError

    @property
    def _reservation_per_run(self) -> Array:
        """U(cap)/E min(length, cap) where that is highest."""
        raise self._knows_no_lengths()

    def reservation_price(self, accounting: Accounting = "reserved") -> Array:
        """Lowest price (value/token) at which the query demands nothing. O(n)."""
        return self._reservation_per_run if checked_accounting(accounting) == "expected" else self._reservation

    @abstractmethod
    def marginal(self, tokens: npt.ArrayLike) -> Array:
        """Slope of the utility at a cap, value/token."""

    @abstractmethod
    def inverse_marginal(self, price: npt.ArrayLike) -> Array:
        """Cap on the concave branch where the marginal value equals `price`, unbounded above.

        Where no point of the branch is that steep: its start, `concave_from`, or below.
        """

    def branch_start(self, accounting: Accounting = "reserved") -> Array:
        """Cap (token) from which the utility is concave in what it is charged."""
        return self.hazard_peak if checked_accounting(accounting) == "expected" else self.concave_from

    def on_branch(self, price: npt.ArrayLike, accounting: Accounting = "reserved") -> Array:
        """Cap on that branch where one more token charged is worth `price`; at or below its start if none. O(n)."""
        return self.inverse_hazard(price) if accounting == "expected" else self.inverse_marginal(price)

    def efficiency(self, tokens: npt.ArrayLike, accounting: Accounting = "reserved") -> Array:
        """Value of one more token charged, at a cap; value/token. O(n)."""
        return self.hazard_value(tokens) if accounting == "expected" else self.marginal(tokens)

    def demand(self, price: npt.ArrayLike, accounting: Accounting = "reserved") -> Array:
        """Cap (token) with the highest utility - price x cost; 0 where no cap has positive surplus."""
        asked = checked_price(price)
        wanted = np.clip(self.on_branch(asked, accounting), self.branch_start(accounting), self.ceiling)
        return np.where(asked < self.reservation_price(accounting), wanted, 0.0)
