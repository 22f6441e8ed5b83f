"""A finite list of (cost, value) options per query: effort levels, models, thinking on or off, measured curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.validate import MIN_SCALE, as_given, at_least, check
from clear_alloc.curves.base import Accounting, Curves, Rows, checked_accounting, checked_price
from clear_alloc.curves.envelope import Steps, envelope
from clear_alloc.errors import InvalidArgument
from clear_alloc.support.parallel import cached_property
from clear_alloc.support.types import Array, Bool, Index

__all__ = ["Menu"]

RaggedLike = Sequence[npt.ArrayLike] | npt.NDArray[Any]

_CERTAIN = 1e-6  # deviation per token of cost that may be rounding


class Menu(Curves):
    """At most one option per query is bought; a cap buys the best option that it covers.

    costs : one list of token counts per query, >= 0, in any order; lengths may differ between queries.
    values : the expected value of each option, >= 0, same lengths.
    weight : value of one right answer, >= 0; scales `values`. A scalar or shape (n,).
    expected : what an option is expected to burn, token, 0 to its cost; same lengths. Expected accounting charges
        it. Default: the cost, which is then taken as certain.
    deviation : standard deviation of what an option burns, token, >= 0; same lengths. Default 0. Where `expected`
        is the cost itself and the deviation is not 0, the cost is read as a mean and not as a limit.

    >>> import clear_alloc as ca
    >>> menu = ca.Menu(costs=[[0, 300, 2000], [1500]], values=[[0.2, 0.5, 0.6], [0.9]])
    >>> menu.utility([400, 1500])
    array([0.5, 0.9])
    >>> menu.demand(price=7e-4)
    array([300.,   0.])
    """

    family: ClassVar[str] = "menu"

    def __init__(
        self,
        costs: RaggedLike,
        values: RaggedLike,
        weight: npt.ArrayLike = 1.0,
        *,
        expected: RaggedLike | None = None,
        deviation: RaggedLike | None = None,
    ):
        lengths, flat_costs = _flatten("costs", costs)
        n, k = len(lengths), int(lengths.max(initial=1))
        there = np.arange(k) < lengths[:, None]

        def padded(argument: str, lists: RaggedLike, fill: float) -> Array:
            found, flat = _flatten(argument, lists)
            if not np.array_equal(lengths, found):
                _refuse_lengths(argument, lengths, found)
            columns = np.full((n, k), fill)
            columns[there] = flat
            return columns

        padded_costs, padded_values = np.full((n, k), np.inf), padded("values", values, -np.inf)
        padded_costs[there] = flat_costs
        # Sorted by cost, then by falling value: of equal costs the best is met first.
        order = np.lexsort((-padded_values, padded_costs), axis=-1)
        self.order = order
        self.sorted_costs = np.take_along_axis(padded_costs, order, axis=-1)
        self._sorted_values = np.take_along_axis(padded_values, order, axis=-1)
        weights = at_least("weight", weight, 0.0, "value")
        if len(weights) not in (1, n):
            raise InvalidArgument("weight", f"of length {len(weights)}", f"length {n} or a scalar", "match costs")
        self.weight = np.broadcast_to(weights, n)
        self.sorted_expected = self.sorted_deviation = None
        if expected is not None:
            burned = padded("expected", expected, np.inf)
            _check_options("expected", burned, burned <= padded_costs, "at most the option's cost, token")
            self.sorted_expected = np.take_along_axis(burned, order, axis=-1)
        if deviation is not None:
            self.sorted_deviation = np.take_along_axis(padded("deviation", deviation, 0.0), order, axis=-1)

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, rows: Rows) -> Self:
        """The menus at the given row numbers, in that order. O(rows x options)."""
        new = object.__new__(type(self))
        new.order, new.sorted_costs = self.order[rows], self.sorted_costs[rows]
        new._sorted_values, new.weight = self._sorted_values[rows], self.weight[rows]
        new.sorted_expected = None if self.sorted_expected is None else self.sorted_expected[rows]
        new.sorted_deviation = None if self.sorted_deviation is None else self.sorted_deviation[rows]
        return new

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """One column out of several; short lists are padded."""
        k = max(part.order.shape[1] for part in parts)
        new = object.__new__(cls)
        new.order = np.concatenate([_widened(part.order, k, -1) for part in parts])
        new.sorted_costs = np.concatenate([_widened(part.sorted_costs, k, np.inf) for part in parts])
        new._sorted_values = np.concatenate([_widened(part._sorted_values, k, -np.inf) for part in parts])
        new.weight = np.concatenate([part.weight for part in parts])
        new.sorted_expected = new.sorted_deviation = None
        if any(part.sorted_expected is not None for part in parts):
            new.sorted_expected = np.concatenate([_widened(part.sorted_burned, k, np.inf) for part in parts])
        if any(part.sorted_deviation is not None for part in parts):
            columns = (part.sorted_deviation for part in parts)
            filled = [np.zeros(p.order.shape) if c is None else c for p, c in zip(parts, columns, strict=True)]
            new.sorted_deviation = np.concatenate([_widened(column, k, 0.0) for column in filled])
        return new

    @property
    def sorted_burned(self) -> Array:
        """Tokens that each option is expected to burn, in order of cost, shape (n, k); inf where there is none."""
        return self.sorted_costs if self.sorted_expected is None else self.sorted_expected

    @cached_property
    def sorted_values(self) -> Array:
        """Weighted value of each option in order of cost, shape (n, k); -inf where there is none."""
        there = np.isfinite(self.sorted_costs)
        return np.where(there, self.weight[:, None] * np.where(there, self._sorted_values, 0.0), -np.inf)

    @property
    def costs(self) -> list[Array]:
        """Costs as given, one array per query, token."""
        return self._as_given(self.sorted_costs)

    @property
    def values(self) -> list[Array]:
        """Unweighted values as given, one array per query."""
        return self._as_given(self._sorted_values)

    @property
    def capped(self) -> npt.NDArray[np.bool_]:
        """Whether costs are caps, (n,): not where an option costs its mean length, as in a menu of uncapped levels.

        Sent as max_tokens, a mean length would cut about half of the answers. What burns its whole cap never varies.
        """
        if self.sorted_deviation is None:
            return super().capped
        there = np.isfinite(self.sorted_costs)
        mean = (self.sorted_burned == self.sorted_costs) & (self.sorted_deviation > _CERTAIN * self.sorted_costs)
        capped: npt.NDArray[np.bool_] = ~(mean & there).any(axis=1)
        return capped

    def _as_given(self, columns: Array) -> list[Array]:
        there = np.isfinite(self.sorted_costs)
        # `after` leaves options out, so that the order of the others counts and not their numbers.
        rows = zip(columns, self.order, there, strict=True)
        return [row[mask][np.argsort(order[mask])] for row, order, mask in rows]

    def utility(self, tokens: npt.ArrayLike) -> Array:
        """Best value among the options that a cap covers, 0 if it covers none. O(n x options)."""
        caps = np.asarray(tokens, dtype=np.float64)
        caps = np.broadcast_to(caps, np.broadcast_shapes(caps.shape, (len(self),)))
        covered = self.sorted_costs <= caps[..., None]
        best: Array = np.where(covered, self.sorted_values, 0.0).max(axis=-1, initial=0.0)
        return best

    @cached_property
    def free_value(self) -> Array:
        """Best value to be had without a token, shape (n,)."""
        return self.utility(0.0)

    def expected_cost(self, tokens: npt.ArrayLike) -> Array:
        """What the best option that a cap covers is expected to burn, token; 0 if it covers none. O(n x options)."""
        return self._of_best(tokens, self.sorted_burned)

    def deviation(self, tokens: npt.ArrayLike) -> Array:
        """Standard deviation of what the best option that a cap covers burns, token. O(n x options)."""
        caps = np.asarray(tokens, dtype=np.float64)
        if self.sorted_deviation is None:
            return np.zeros(np.broadcast_shapes(caps.shape, (len(self),)))
        return self._of_best(caps, self.sorted_deviation)

    def _of_best(self, tokens: npt.ArrayLike, columns: Array) -> Array:
        caps = np.asarray(tokens, dtype=np.float64)
        caps = np.broadcast_to(caps, np.broadcast_shapes(caps.shape, (len(self),)))
        worth = np.where(self.sorted_costs <= caps[..., None], self.sorted_values, -np.inf)
        best = worth.argmax(axis=-1)
        bought = np.take_along_axis(worth, best[..., None], axis=-1)[..., 0] > 0.0
        chosen: Array = np.where(bought, columns[np.arange(len(self)), best], 0.0)
        return chosen

    @cached_property
    def steps(self) -> Steps:
        """Edges of the upper concave envelope of each menu; options numbered in order of cost."""
        return envelope(self.sorted_costs, self.sorted_values, np.zeros(len(self)), self.free_value)

    def _charged(self, accounting: Accounting) -> Array:
        return self.sorted_burned if checked_accounting(accounting) == "expected" else self.sorted_costs

    def demand(self, price: npt.ArrayLike, accounting: Accounting = "reserved") -> Array:
        """Cost of the option with the highest value - price x charge, the cheapest of equals; 0 if none gains."""
        charged = self._charged(accounting)
        asked = np.broadcast_to(checked_price(price), (len(self),))
        there = np.isfinite(charged)
        surplus = np.where(there, self.sorted_values - asked[:, None] * np.where(there, charged, 0.0), -np.inf)
        best, rows = surplus.argmax(axis=1), np.arange(len(self))
        # At the reservation price itself rounding may leave a surplus of 1e-17.
        gains = (surplus[rows, best] > self.free_value) & (asked < self.reservation_price(accounting))
        return np.where(gains, self.sorted_costs[rows, best], 0.0)

    def reservation_price(self, accounting: Accounting = "reserved") -> Array:
        """Highest value per token charged, of any option; 0 where no option gains anything. O(n x options)."""
        run, rise = self._charged(accounting), self.sorted_values - self.free_value[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where((rise > 0) & np.isfinite(run), rise / run, 0.0)
        best: Array = slope.max(axis=1, initial=0.0)
        return best

    @cached_property
    def ceiling(self) -> Array:
        """Cost of the cheapest option with the highest value, token."""
        best, rows = self.sorted_values.argmax(axis=1), np.arange(len(self))
        return np.where(self.sorted_values[rows, best] > self.free_value, self.sorted_costs[rows, best], 0.0)

    def _after(self, spent: Array) -> Menu:
        """Options beyond `spent`, at what they still cost; the values are read as shares arrived by a cost.

        Expected costs are read as those of caps on one length; between two options, completions end evenly.
        """
        best = self.sorted_values.max(axis=1)
        to_come = best - self.utility(spent)
        ahead = (self.sorted_costs > spent[:, None]) & np.isfinite(self.sorted_costs) & (to_come > 0)[:, None]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            share = (self.sorted_values - self.utility(spent)[:, None]) / to_come[:, None]
            value = np.maximum(best[:, None] * share, 0.0)
        ahead[:, 0] |= ~ahead.any(axis=1)  # nothing to_come to come: one free option that is worth nothing
        over = (to_come <= 0)[:, None]
        costs = np.where(ahead, np.where(over, 0.0, self.sorted_costs - spent[:, None]), np.inf)
        values = np.where(ahead, np.where(over, 0.0, value), -np.inf)
        new = object.__new__(type(self))
        order = np.argsort(costs, axis=1, kind="stable")
        new.order, new.sorted_costs, new._sorted_values = (
            np.take_along_axis(columns, order, axis=1) for columns in (self.order, costs, values)
        )
        # The weight is in the values already.
        new.weight = np.ones(len(self))
        new.sorted_expected = new.sorted_deviation = None
        if self.sorted_expected is not None or self.sorted_deviation is not None:
            burned, deviation = self._still_burned(spent)
            burned = np.where(ahead, np.clip(np.where(over, 0.0, burned), 0.0, costs), np.inf)
            new.sorted_expected = np.take_along_axis(burned, order, axis=1)
            new.sorted_deviation = np.take_along_axis(np.where(ahead & ~over, deviation, 0.0), order, axis=1)
        return new

    def _still_burned(self, spent: Array) -> tuple[Array, Array]:
        """Mean and deviation of what those still running burn beyond `spent`, (n, k); at options beyond it."""
        there = np.isfinite(self.sorted_costs)
        cost, mean = (np.where(there, c, 0.0) for c in (self.sorted_costs, self.sorted_burned))
        spread = np.zeros(mean.shape) if self.sorted_deviation is None else self.sorted_deviation
        square = np.where(there, spread * spread + mean * mean, 0.0)
        # The options around `spent`: between them the share still running is the slope of the mean.
        rows, after = np.arange(len(self)), (self.sorted_costs <= spent[:, None]).sum(axis=1)
        after = np.minimum(after, np.maximum(there.sum(axis=1) - 1, 0))
        lower = [np.where(after > 0, c[rows, np.maximum(after - 1, 0)], 0.0) for c in (cost, mean, square)]
        with np.errstate(divide="ignore", invalid="ignore"):
            running = (mean[rows, after] - lower[1]) / (cost[rows, after] - lower[0])
        running = np.where(np.isfinite(running) & (running > 0.0), np.minimum(running, 1.0), 1.0)
        mean_now = lower[1] + running * (spent - lower[0])
        square_now = lower[2] + running * (spent * spent - lower[0] * lower[0])
        more = mean - mean_now[:, None]
        burned = more / running[:, None]
        second = (square - square_now[:, None] - 2.0 * spent[:, None] * more) / running[:, None]
        return burned, np.sqrt(np.maximum(second - burned * burned, 0.0))

    @cached_property
    def emergence(self) -> Array:
        """Cost of the cheapest option that is worth anything, token; 0 where none is."""
        worth = self.sorted_values > 0
        first, rows = worth.argmax(axis=1), np.arange(len(self))
        return np.where(worth[rows, first], self.sorted_costs[rows, first], 0.0)

    def to_records(self) -> list[dict[str, Any]]:
        """One dict per query: `family`, `costs`, `values`, `weight`, and `expected`, `deviation` if it has them."""
        lists = {"costs": self.costs, "values": self.values}
        if self.sorted_expected is not None:
            lists["expected"] = self._as_given(self.sorted_expected)
        if self.sorted_deviation is not None:
            lists["deviation"] = self._as_given(self.sorted_deviation)
        rows = zip(*lists.values(), strict=True)
        records = [dict(zip(lists, (column.tolist() for column in row), strict=True)) for row in rows]
        return [
            {"family": self.family, **record, "weight": weight}
            for record, weight in zip(records, self.weight.tolist(), strict=True)
        ]


def _flatten(argument: str, lists: RaggedLike) -> tuple[Index, Array]:
    if isinstance(lists, (str, bytes)) or not isinstance(lists, Iterable):
        raise InvalidArgument(argument, lists, "one list of numbers per query", "pass a list of lists")
    rows = [np.atleast_1d(as_given(row)) for row in lists]
    lengths = np.fromiter((len(row) for row in rows), dtype=np.intp, count=len(rows))
    if (lengths == 0).any():
        remedy = "give every query at least one option or leave it out"
        raise InvalidArgument(argument, "an empty list", "one or more options", remedy, int(np.argmin(lengths)))
    try:
        flat = at_least(argument, np.concatenate(rows) if rows else np.empty(0), 0.0, "tokens or value")
        if argument == "costs":
            allowed = f"0, or {MIN_SCALE:g} to 2**53 tokens"
            check(argument, flat, (flat == 0.0) | (flat >= MIN_SCALE), allowed, "check the unit of the costs")
    except InvalidArgument as error:  # the flat position means nothing to the caller: name the query
        if error.row is None:
            raise
        query = int(np.searchsorted(np.cumsum(lengths), error.row, side="right"))
        raise InvalidArgument(argument, error.value, error.allowed, error.remedy, query) from None
    return lengths, flat


def _refuse_lengths(argument: str, lengths: Index, found: Index) -> None:
    if len(lengths) != len(found):
        allowed = f"length {len(lengths)}, as costs"
        raise InvalidArgument(argument, f"of length {len(found)}", allowed, "pass one list per query")
    row = int(np.argmin(lengths == found))
    length, allowed = f"of length {found[row]}", f"length {lengths[row]}, as costs[{row}]"
    raise InvalidArgument(argument, length, allowed, "pair every cost with one number", row)


def _check_options(argument: str, columns: Array, good: Bool, allowed: str) -> None:
    if not good.all():
        row, option = (int(index[0]) for index in np.nonzero(~good))
        raise InvalidArgument(argument, float(columns[row, option]), allowed, "correct the option", row)


def _widened(array: npt.NDArray[Any], k: int, fill: float) -> npt.NDArray[Any]:
    return np.pad(array, ((0, 0), (0, k - array.shape[1])), constant_values=fill)
