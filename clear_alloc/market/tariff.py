"""What a cap is charged: tokens or money, reserved or expected, and a price per call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.validate import MAX_TOKENS, as_given, at_least, check, column
from clear_alloc.curves import Accounting, Array, checked_accounting
from clear_alloc.errors import InvalidArgument

__all__ = ["LEAST_RATE", "Tariff", "call_cost", "read_tariff"]

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
    def plain(self) -> bool:
        """Whether a cap is charged as it is."""
        return self.accounting == "reserved" and self.rate is None and self.call is None

    @property
    def counted_in(self) -> str:
        """What the caller's budget is counted in, for messages."""
        return "tokens" if self.unit == 1.0 and self.rate is None and self.call is None else "budget units"

    def take(self, rows: npt.NDArray[np.intp]) -> Tariff:
        """The same for some of the queries."""
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
    """Judge what caps are charged; `lengths` gives (n,): options of each query, 1 for a smooth curve. O(n)."""
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


def call_cost(
    prompt_tokens: npt.ArrayLike,
    prompt_rate: npt.ArrayLike,
    cached_tokens: npt.ArrayLike = 0,
    cached_rate: npt.ArrayLike | None = None,
) -> Array:
    """What a call costs before its first answer token: its prompt, and what of it is read from a cache, at its rate.

    prompt_tokens : token, cached ones included, (n,) or scalar. prompt_rate, cached_rate : money per token.
    cached_tokens : token, at most prompt_tokens; priced at `cached_rate`, by default as the others. O(n).

    >>> import clear_alloc as ca
    >>> ca.call_cost([1000, 3000], 3e-6, cached_tokens=[0, 2000], cached_rate=0.3e-6)
    array([0.003 , 0.0036])
    """
    given = {
        "prompt_tokens": prompt_tokens,
        "prompt_rate": prompt_rate,
        "cached_tokens": cached_tokens,
        "cached_rate": prompt_rate if cached_rate is None else cached_rate,
    }
    amounts = [_amounts(argument, values) for argument, values in given.items()]
    try:
        prompt, rate, cached, low = np.broadcast_arrays(*amounts)
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in amounts)
        allowed = "as long as the other arguments, or a scalar"
        raise InvalidArgument("prompt_tokens", f"one of shapes {shapes}", allowed, "pass one per query") from None
    above = np.argwhere(cached > prompt)
    if len(above):
        value, row = cached[tuple(above[0])], int(above[0][0]) if prompt.ndim else None
        remedy = "cached tokens are part of the prompt"
        raise InvalidArgument("cached_tokens", value, "0 to prompt_tokens", remedy, row)
    cost: Array = (prompt - cached) * rate + cached * low
    return cost


def _amounts(argument: str, values: npt.ArrayLike) -> Array:
    """Numbers >= 0 in an array of any shape."""
    try:
        raw = as_given(values)
    except ValueError as error:
        raise InvalidArgument(argument, values, "numbers, one per query", "pass a flat list") from error
    try:
        return at_least(argument, raw.ravel(), 0.0, "tokens or money per token").reshape(raw.shape)
    except InvalidArgument as error:
        row = None if error.row is None or not raw.ndim else error.row * len(raw) // raw.size
        raise InvalidArgument(argument, error.value, error.allowed, error.remedy, row) from None
