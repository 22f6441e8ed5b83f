"""Floors, ceilings, levels and fallbacks as a caller gives them: checked and merged before anything is optimised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.constant import broadcast_column, of_repeated
from clear_alloc.columns.validate import at_least, check
from clear_alloc.curves import MAX_TOKENS, Array
from clear_alloc.errors import InvalidArgument, NotSupported
from clear_alloc.market.feasible import FeasibleCaps
from clear_alloc.support.types import Index

__all__ = ["read_feasible", "whole_column"]

_NOBODY: Index = np.empty(0, dtype=np.intp)
_NO_LEVELS, _NOT_LIFTED, _BOUNDLESS = np.empty((0, 1)), np.zeros(1, dtype=bool), np.array([MAX_TOKENS])
_PER_QUERY = (set, frozenset, list, np.ndarray, range)
_ALLOWED = "whole caps, or pairs (low, high), token: {0, 1024, 4096} or {0, (1024, 32000)}"


def read_feasible(
    n: int,
    min_tokens: npt.ArrayLike = 0,
    max_tokens: npt.ArrayLike | None = None,
    levels: object = None,
    fallback: npt.ArrayLike = 0,
) -> FeasibleCaps:
    """Check and merge; InvalidArgument names the argument, the row and the value. O(n)."""
    if levels is None and max_tokens is None and _is_none(min_tokens) and _is_none(fallback):
        zero = broadcast_column(np.zeros(1), n)
        return FeasibleCaps(
            zero, zero, zero, broadcast_column(_BOUNDLESS, n), _NOBODY, _NO_LEVELS, broadcast_column(_NOT_LIFTED, n)
        )
    floor = whole_column("min_tokens", min_tokens, n)
    cap = whole_column("max_tokens", MAX_TOKENS if max_tokens is None else max_tokens, n)
    back = whole_column("fallback", fallback, n)
    ordered = of_repeated(np.less_equal, floor, cap)
    if not ordered.all():
        crossed = f"at least min_tokens, {floor[int(np.argmin(ordered))]:,.15g} in this row"
        check("max_tokens", cap, ordered, crossed, "raise max_tokens or lower min_tokens")
    check("fallback", back, of_repeated(np.less_equal, back, cap), "at most max_tokens", "lower the fallback")
    fallback_only = of_repeated(_unless_funded, floor, back)
    forced = of_repeated(np.maximum, floor, fallback_only)
    none = FeasibleCaps(forced, fallback_only, forced, cap, _NOBODY, _NO_LEVELS, broadcast_column(_NOT_LIFTED, n))
    return none if levels is None else _with_levels(none, levels, n)


def _is_none(tokens: npt.ArrayLike) -> bool:
    return isinstance(tokens, int) and not tokens and tokens is not False


def _unless_funded(floor: Array, fallback: Array) -> Array:
    return np.where(floor > 0, 0.0, fallback)


def whole_column(argument: str, values: npt.ArrayLike, n: int) -> Array:
    """A column of whole tokens, (n,), read-only."""
    array = at_least(argument, values, 0.0, "tokens")
    check(argument, array, array == np.floor(array), "whole tokens", "round the floor or ceiling yourself")
    if len(array) not in (1, n):
        raise InvalidArgument(argument, f"of length {len(array)}", f"length {n} or a scalar", "pass one per query")
    return broadcast_column(array, n)


class _Levels(NamedTuple):
    """What one query's collection says. zero : it may get nothing. span : the one interval, if any."""

    zero: bool
    points: Array
    span: tuple[float, float] | None


def _with_levels(limits: FeasibleCaps, levels: object, n: int) -> FeasibleCaps:
    own = _per_query(levels, n)
    common = None if own is not None else _read(levels, None)
    floor, fallback, low, high = (column.copy() for column in limits[:4])
    listed, points, lifts = [], [], np.zeros(n, dtype=bool)
    known: dict[tuple[int, float, float, float], tuple[float, float, float, float, Array | None]] = {}
    bounds = zip(limits.floor.tolist(), limits.fallback.tolist(), limits.high.tolist(), strict=True)
    for row, (least, back, most) in enumerate(bounds):
        if own is not None and own[row] is None:
            continue
        # Rows of one kind are settled once.
        key = (-1 if own is None else row, least, back, most)
        if key not in known:
            known[key] = _limits_of(common or _read(own[row], row), least, back, most, row)  # type: ignore[index]
        floor[row], fallback[row], low[row], high[row], fit = known[key]
        lifts[row] = True
        if fit is not None:
            listed.append(row)
            points.append(fit)
    columns = np.full((len(points), max((len(fit) for fit in points), default=1) or 1), np.inf)
    for place, fit in enumerate(points):
        columns[place, : len(fit)] = fit
    return FeasibleCaps(floor, fallback, low, high, np.array(listed, dtype=np.intp), columns, lifts)


def _limits_of(
    entry_levels: _Levels, floor: float, fallback: float, high: float, row: int
) -> tuple[float, float, float, float, Array | None]:
    """Floor, fallback, low, high and the list, if any, of a query whose limits were `floor` and `high`."""
    free = entry_levels.zero and floor <= fallback
    if not entry_levels.zero and floor <= fallback:
        floor = fallback = 0.0  # every query is funded, so none falls back
    if entry_levels.span is None:
        fit = entry_levels.points[(entry_levels.points >= floor) & (entry_levels.points <= high)]
        if len(fit) or free:
            least = floor if free else float(fit[0])
            return least, fallback, least, high, fit
    else:
        low, most = max(floor, entry_levels.span[0]), min(high, entry_levels.span[1])
        if low <= most:
            return (floor if free else low), fallback, low, most, None
        if free:
            return floor, fallback, floor, floor, None
    within = f"an allowed cap from {floor:,.15g} to {high:,.15g} tokens (min_tokens to max_tokens)"
    raise InvalidArgument("levels", _shown(entry_levels), within, "allow another cap, or 0, or move the limits", row)


def _per_query(levels: object, n: int) -> list[Any] | None:
    """One collection (or None) per query, or None if `levels` is one collection for all."""
    if isinstance(levels, np.ndarray) and levels.ndim == 2:
        levels = list(levels)
    if not isinstance(levels, (list, tuple)):
        return None
    if len(levels) and not any(entry is None or isinstance(entry, _PER_QUERY) for entry in levels):
        return None
    if not len(levels) and n:
        return None
    if len(levels) != n:
        raise InvalidArgument("levels", f"of length {len(levels)}", f"length {n}", "pass one collection per query")
    return list(levels)


def _read(levels: object, row: int | None) -> _Levels:
    bare = isinstance(levels, tuple) and not any(isinstance(entry, tuple) for entry in levels)
    bare |= isinstance(levels, np.ndarray) and not levels.ndim
    if bare or isinstance(levels, (str, bytes)) or not isinstance(levels, Iterable):
        remedy = "write {0, (1024, 32000)} for none or a range, {0, 1024, 32000} for these caps alone"
        raise InvalidArgument("levels", levels, _ALLOWED, remedy, row)
    if isinstance(levels, range) and levels.step == 1 and len(levels):
        levels = [(levels[0], levels[-1])]
    points, spans = set(), set()
    for entry in levels.tolist() if isinstance(levels, np.ndarray) else levels:
        if isinstance(entry, (tuple, list)):
            spans.add(_span(entry, row))
        else:
            points.add(_cap(entry, row))
    if not points and not spans:
        raise InvalidArgument("levels", levels, f"at least one cap; {_ALLOWED}", "list the caps, or pass None", row)
    zero = 0.0 in points or 0.0 in {low for low, _ in spans}
    some = np.array(sorted(points - {0.0}))
    if len(spans) > 1 or (spans and len(some)):
        raise NotSupported(
            f"levels {levels!r}: single caps beside a range, or several ranges, can't be combined; "
            "list the caps one by one, or allow one range and 0"
        )
    return _Levels(zero, some, next(iter(spans), None))


def _cap(entry: object, row: int | None) -> float:
    number = isinstance(entry, (int, float, np.integer, np.floating)) and not isinstance(entry, bool)
    if not number or not 0 <= entry <= MAX_TOKENS or entry != int(entry):  # type: ignore[operator, call-overload]
        raise InvalidArgument("levels", entry, _ALLOWED, "give whole tokens from 0 to 2**53", row)
    return float(entry)  # type: ignore[arg-type]


def _span(entry: Any, row: int | None) -> tuple[float, float]:
    if len(entry) != 2:
        raise InvalidArgument("levels", entry, _ALLOWED, "give a range as (low, high)", row)
    low, high = _cap(entry[0], row), MAX_TOKENS if entry[1] is None else _cap(entry[1], row)
    if low > high:
        raise InvalidArgument("levels", entry, "low <= high", "swap the two", row)
    return low, high


def _shown(entry_levels: _Levels) -> str:
    caps = (
        [f"{cap:,.15g}" for cap in entry_levels.points]
        if entry_levels.span is None
        else ["{:,.15g} to {:,.15g}".format(*entry_levels.span)]
    )
    return ", ".join([*(["0"] if entry_levels.zero else []), *caps])
