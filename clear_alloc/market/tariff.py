"""What a cap is charged: tokens or money, reserved or expected, and a price per call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.validate import MAX_TOKENS, as_given, check, column
from clear_alloc.curves import Accounting, Array, checked_accounting
from clear_alloc.errors import InvalidArgument

__all__ = ["LEAST_RATE", "Tariff", "read_tariff"]

RatesLike = npt.ArrayLike | Iterable[npt.ArrayLike]
LEAST_RATE = 1e-15  # money per token; a call costs nothing, or so much: slopes of less leave the floats


class Tariff(NamedTuple):
    """rate, call : budget units per token and per funded query, shape (n, k), one column or one per menu option.

    None stands for 1 and 0. Missing options are nan. unit : budget units per token where all tokens cost the same;
    the problem is then solved in tokens.
    """

    accounting: Accounting = "reserved"
    rate: Array | None = None
    call: Array | None = None
    unit: float = 1.0

    @property
    def counted_in(self) -> str:
        """What the caller's budget is counted in, for messages."""
        return "tokens" if self.unit == 1.0 and self.rate is None and self.call is None else "budget units"

    def take(self, rows: npt.NDArray[np.intp]) -> Tariff:
        """A tariff for some of the queries."""
        rate, call = (None if column is None else column[rows] for column in (self.rate, self.call))
        return Tariff(self.accounting, rate, call, self.unit)

    def of_options(self, rows: npt.NDArray[np.intp], k: int) -> tuple[Array | None, Array | None]:
        """Rates and calls of k options each, (len(rows), k), in the caller's order."""
        rate, call = (None if column is None else _spread(column[rows], k) for column in (self.rate, self.call))
        return rate, call


def read_tariff(
    accounting: object,
    rate: RatesLike | None,
    call: RatesLike | None,
    lengths: Callable[[], npt.NDArray[np.intp]],
) -> Tariff:
    """Check what caps are charged; `lengths` gives (n,): options of each query, 1 for a smooth curve. O(n)."""
    charged = checked_accounting(accounting)
    rates = None if rate is None else _read("rate", rate, lengths())
    calls = None if call is None else _read("call", call, lengths())
    if calls is not None and not np.nan_to_num(calls).any():
        calls = None
    if rates is not None and calls is None:
        known = rates[~np.isnan(rates)]
        if len(known) and (known == known[0]).all():
            return Tariff(charged, None, None, float(known[0]))
    return Tariff(charged, rates, calls)


def _read(argument: str, values: RatesLike, lengths: npt.NDArray[np.intp]) -> Array:
    n = len(lengths)
    if not _ragged(values):
        flat = column(argument, values)  # type: ignore[arg-type]
        _check(argument, flat)
        if len(flat) not in (1, n):
            found = f"of length {len(flat)}"
            raise InvalidArgument(argument, found, f"length {n} or a scalar", "pass one per query")
        return np.broadcast_to(flat, n)[:, None]
    rows = [_entry(argument, entry, row) for row, entry in enumerate(values)]  # type: ignore[arg-type]
    if len(rows) != n:
        raise InvalidArgument(argument, f"of length {len(rows)}", f"length {n}", "pass one entry per query")
    own = np.fromiter((len(row) for row in rows), dtype=np.intp, count=n)
    good = (own == 1) | (own == lengths)
    if not good.all():
        row = int(np.argmin(good))
        allowed = f"one number, or {int(lengths[row])}: one per option"
        raise InvalidArgument(argument, f"of length {own[row]}", allowed, "match the menu's options", row)
    try:
        flat = column(argument, np.concatenate(rows))
        _check(argument, flat)
    except InvalidArgument as error:  # the flat position means nothing to the caller: name the query
        row = int(np.searchsorted(np.cumsum(own), error.row or 0, side="right"))
        raise InvalidArgument(argument, error.value, error.allowed, error.remedy, row) from None
    k = int(lengths.max())
    out = np.full((n, k), np.nan)
    out[np.arange(k) < own[:, None]] = flat
    out[own == 1] = out[own == 1, :1]
    return out


def _ragged(values: object) -> bool:
    """Whether some query has a list of its own."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values.ndim > 1
    return isinstance(values, (list, tuple, np.ndarray)) and any(
        isinstance(entry, (list, tuple)) or getattr(entry, "ndim", 0) > 0 for entry in values
    )


def _entry(argument: str, entry: npt.ArrayLike, row: int) -> npt.NDArray[Any]:
    try:
        array = np.atleast_1d(as_given(entry))
    except ValueError:
        array = np.empty((0, 0))
    if array.ndim != 1:
        raise InvalidArgument(argument, entry, "a number, or one per option", "pass a flat list", row)
    return array


def _check(argument: str, values: Array) -> None:
    good = (values >= LEAST_RATE) & (values <= MAX_TOKENS)
    allowed = f"{LEAST_RATE:g} to 2**53 budget units"
    if argument == "call":
        good, allowed = good | (values == 0.0), f"0, or {allowed}"
    check(argument, values, good, allowed, "check the unit of the prices")


def _spread(columns: Array, k: int) -> Array:
    """The first k columns; a single one counts for all, and a menu that lost its neighbours may be wider."""
    if columns.shape[1] == 1:
        return np.repeat(columns, k, axis=1)
    missing = max(k - columns.shape[1], 0)
    return np.pad(columns[:, :k], ((0, 0), (0, missing)), constant_values=np.nan)
