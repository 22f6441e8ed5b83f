"""What a cap is charged: tokens or money, reserved or expected, and a price per call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Accounting, Array, judged_accounting
from clear_alloc.curves.columns import MAX_TOKENS, check, column
from clear_alloc.errors import InvalidArgument

__all__ = ["Tariff", "call_cost", "read_tariff"]

RatesLike = npt.ArrayLike | Iterable[npt.ArrayLike]
_LEAST_RATE = 1e-15  # money per token


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

    def take(self, rows: npt.NDArray[np.intp]) -> Tariff:
        """The same for some of the queries."""
        rate, call = (None if column is None else column[rows] for column in (self.rate, self.call))
        return Tariff(self.accounting, rate, call, self.unit)

    def of_options(self, rows: npt.NDArray[np.intp], k: int) -> tuple[Array | None, Array | None]:
        """Rates and calls of k options each, (len(rows), k), in the caller's order."""
        rate, call = (None if column is None else _spread(column[rows], k) for column in (self.rate, self.call))
        return rate, call


def read_tariff(
    accounting: object, rate: RatesLike | None, call: RatesLike | None, lengths: npt.NDArray[np.intp]
) -> Tariff:
    """Judge what caps are charged; `lengths` (n,): options of each query, 1 for a smooth curve. O(n)."""
    charged = judged_accounting(accounting)
    rates = None if rate is None else _read("rate", rate, lengths, _LEAST_RATE)
    calls = None if call is None else _read("call", call, lengths, 0.0)
    if calls is not None and not np.nan_to_num(calls).any():
        calls = None
    if rates is not None and calls is None:
        known = rates[~np.isnan(rates)]
        if len(known) and (known == known[0]).all():
            return Tariff(charged, None, None, float(known[0]))
    return Tariff(charged, rates, calls)


def _read(argument: str, values: RatesLike, lengths: npt.NDArray[np.intp], least: float) -> Array:
    n = len(lengths)
    if np.ndim(values) == 0 or (not _ragged(values) and np.ndim(values) == 1):  # type: ignore[arg-type]
        flat = column(argument, values)  # type: ignore[arg-type]
        _check(argument, flat, least)
        if len(flat) not in (1, n):
            found = f"of length {len(flat)}"
            raise InvalidArgument(argument, found, f"length {n} or a scalar", "pass one per query")
        return np.broadcast_to(flat, n)[:, None]
    rows = [np.atleast_1d(np.asarray(entry, dtype=np.float64)) for entry in values]  # type: ignore[union-attr]
    if len(rows) != n:
        raise InvalidArgument(argument, f"of length {len(rows)}", f"length {n}", "pass one entry per query")
    out = np.full((n, int(lengths.max(initial=1))), np.nan)
    for place, row in enumerate(rows):
        if len(row) not in (1, int(lengths[place])):
            allowed = f"one number, or {int(lengths[place])}: one per option"
            raise InvalidArgument(argument, f"of length {len(row)}", allowed, "match the menu's options", place)
        try:
            _check(argument, row, least)
        except InvalidArgument as error:
            raise InvalidArgument(argument, error.value, error.allowed, error.remedy, place) from None
        out[place, :] = row[0] if len(row) == 1 else np.nan
        out[place, : len(row)] = row
    return out


def _ragged(values: RatesLike) -> bool:
    if isinstance(values, (list, tuple)):
        return any(np.ndim(entry) for entry in values)
    return np.ndim(values) == 2  # type: ignore[arg-type]


def _check(argument: str, values: Array, least: float) -> None:
    allowed = f"{least:g} to 2**53 budget units" if least else "0 to 2**53 budget units"
    check(argument, values, (values >= least) & (values <= MAX_TOKENS), allowed, "check the unit of the prices")


def _spread(columns: Array, k: int) -> Array:
    return np.repeat(columns, k, axis=1) if columns.shape[1] == 1 else columns[:, :k]


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
    prompt, cached = np.asarray(prompt_tokens, dtype=np.float64), np.asarray(cached_tokens, dtype=np.float64)
    both = np.broadcast_arrays(np.atleast_1d(prompt), np.atleast_1d(cached))
    check("prompt_tokens", both[0], np.isfinite(both[0]) & (both[0] >= 0), "finite and >= 0 tokens", "count again")
    good = (both[1] >= 0) & (both[1] <= both[0])
    check("cached_tokens", both[1], good, "0 to prompt_tokens", "cached tokens are part of the prompt")
    rate = np.asarray(prompt_rate, dtype=np.float64)
    low = rate if cached_rate is None else np.asarray(cached_rate, dtype=np.float64)
    cost: Array = (prompt - cached) * rate + cached * low
    return cost
