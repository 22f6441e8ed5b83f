"""What a caller asks for, judged once: budget, floors, ceilings and names, as the market needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import MAX_TOKENS, Array, CurveRecord, Curves, from_records
from clear_alloc.curves.columns import at_least, check
from clear_alloc.errors import BudgetTooSmall, InvalidArgument
from clear_alloc.market import Market

__all__ = ["CurvesLike", "Problem", "read_problem"]

CurvesLike = Curves | Sequence[CurveRecord]


class Problem(NamedTuple):
    """A market, its budget (token) and the queries' names."""

    market: Market
    budget: float
    ids: tuple[Any, ...] | None


def read_problem(
    curves: CurvesLike,
    budget: float,
    min_tokens: npt.ArrayLike = 0,
    max_tokens: npt.ArrayLike | None = None,
    ids: Iterable[Any] | None = None,
) -> Problem:
    """Judge the arguments that `allocate` and every baseline share.

    Raises InvalidArgument, naming the argument, the row and the value, and BudgetTooSmall. O(n).
    """
    pool = _budget(budget)
    records: list[Any] = []
    if not isinstance(curves, Curves):
        records = _records(curves)
        curves = from_records(records)
        if ids is None and records and all(getattr(r, "id", None) is not None for r in records):
            ids = [r.id for r in records]
    n = len(curves)
    floor = _column("min_tokens", min_tokens, n)
    cap = np.full(n, MAX_TOKENS) if max_tokens is None else _column("max_tokens", max_tokens, n)
    if records:
        floor = np.maximum(floor, _column("min_tokens", _own(records, "min_tokens", 0.0), n))
        cap = np.minimum(cap, _column("max_tokens", _own(records, "max_tokens", MAX_TOKENS), n))
    crossed = f"at least min_tokens, {floor[int(np.argmax(floor > cap))]:,.15g} in this row" if n else ""
    check("max_tokens", cap, floor <= cap, crossed, "raise max_tokens or lower min_tokens")
    market = Market(curves, floor, cap)
    if market.total_floor > pool:
        raise BudgetTooSmall(market.total_floor, pool)
    return Problem(market, pool, _names(ids, n))


def _budget(budget: object) -> float:
    allowed, remedy = "a finite number of tokens, >= 0", "pass the size of the pool"
    if isinstance(budget, (bool, str, bytes)) or budget is None:
        raise InvalidArgument("budget", budget, allowed, remedy)
    try:
        pool = float(budget)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InvalidArgument("budget", budget, allowed, remedy) from error
    if not 0.0 <= pool <= MAX_TOKENS:
        raise InvalidArgument("budget", budget, f"{allowed}, and at most 2**53", remedy)
    return pool


def _records(curves: object) -> list[Any]:
    allowed = "curves such as ca.ShiftedSurge(...), or a list of ca.Query"
    if isinstance(curves, (str, bytes)) or not isinstance(curves, Iterable):
        raise InvalidArgument("curves", curves, allowed, "build the curves first")
    records = list(curves)
    for row, record in enumerate(records):
        if not hasattr(record, "curve_parameters"):
            raise InvalidArgument("curves", record, allowed, "wrap the row in ca.Query(...)", row)
    return records


def _own(records: list[Any], name: str, default: float) -> list[float]:
    own = (getattr(record, name, None) for record in records)
    return [default if value is None else value for value in own]


def _column(argument: str, values: npt.ArrayLike, n: int) -> Array:
    array = at_least(argument, values, 0.0, "tokens")
    check(argument, array, array == np.floor(array), "whole tokens", "round the floor or ceiling yourself")
    if len(array) not in (1, n):
        raise InvalidArgument(argument, f"of length {len(array)}", f"length {n} or a scalar", "pass one per query")
    return np.broadcast_to(array, n)


def _names(ids: Iterable[Any] | None, n: int) -> tuple[Any, ...] | None:
    if ids is None:
        return None
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        raise InvalidArgument("ids", ids, f"{n} names, one per query", "pass a list of ids")
    names = tuple(ids.tolist() if isinstance(ids, np.ndarray) else ids)
    if len(names) != n:
        raise InvalidArgument("ids", f"of length {len(names)}", f"length {n}", "pass one id per query")
    row = next((row for row, name in enumerate(names) if name.__hash__ is None), None)
    if row is not None:
        raise InvalidArgument("ids", names[row], "strings, integers or other hashable names", "convert the id", row)
    if len(set(names)) < n:
        seen: dict[Any, int] = {}
        for row, name in enumerate(names):
            first = seen.setdefault(name, row)
            if first != row:
                raise InvalidArgument("ids", name, "unique ids", f"it is row {first}'s id already; rename one", row)
    return names
