"""Several models or effort levels of the same queries as one menu per query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.validate import MAX_TOKENS, at_least
from clear_alloc.curves import Menu
from clear_alloc.errors import InvalidArgument
from clear_alloc.fit.fitting import Fitted

__all__ = ["LevelMenu", "menu_of_levels"]


class LevelMenu(NamedTuple):
    """curves : (n,) menus, one option per level. ids : of the queries. names : of the options, as `choice` counts."""

    curves: Menu
    ids: list[Any]
    names: tuple[str, ...]


def menu_of_levels(levels: Mapping[str, Fitted], caps: Mapping[str, npt.ArrayLike] | None = None) -> LevelMenu:
    """One menu per query out of fits of the same queries at several levels.

    Parameters
    ----------
    levels : one `Fitted` per model, effort level or setting
        All of the same queries, in any order; of families that know lengths: not the shifted surge.
    caps : token per level, a number or (n,) in the order of the first level's ids, optional
        The max_tokens that a level is run with. An option is then charged its cap, or under expected accounting what
        it should burn. Without caps a level runs to its end and is charged its mean length: `result.tokens`
        are lengths then, not to be sent as max_tokens, and `result.capped` is False.

    Returns
    -------
    LevelMenu
        `allocate(menu.curves, ...)` says in `choice` which of `names` each query gets.

    Raises
    ------
    InvalidArgument
        Levels of different queries, or a level without a cap where others have one. NotSupported: no lengths known.

    Notes
    -----
    The weight is that of the first level. O(n x levels).
    """
    if not levels:
        raise InvalidArgument("levels", "empty", "one or more fits by name", "pass {'low': ca.fit(...), ...}")
    if caps is not None and set(caps) != set(levels):
        odd = sorted(set(caps) ^ set(levels))[0]
        raise InvalidArgument("caps", odd, f"one cap for each of {', '.join(levels)}", "name the same levels")
    ids = next(iter(levels.values())).ids
    costs, values, expected, deviation = [], [], [], []
    for name, fitted in levels.items():
        curves = fitted.curves[_rows(name, fitted, ids)]
        limit = curves.ceiling if caps is None else _limits(name, caps[name], len(ids))
        burned = curves.expected_cost(limit)
        costs.append(burned if caps is None else limit)
        with np.errstate(divide="ignore", invalid="ignore"):
            values.append(np.where(curves.weight > 0, curves.utility(limit) / curves.weight, 0.0))
        expected.append(burned)
        deviation.append(curves.deviation(limit))
    weight = next(iter(levels.values())).curves.weight
    columns = (np.stack(by_level, axis=-1) for by_level in (costs, values, expected, deviation))
    cost, value, burned, spread = columns
    return LevelMenu(Menu(cost, value, weight, expected=burned, deviation=spread), list(ids), tuple(levels))


def _rows(name: str, fitted: Fitted, ids: list[Any]) -> npt.NDArray[np.intp]:
    row_of = {query: row for row, query in enumerate(fitted.ids)}
    other = next((query for query in ids if query not in row_of), None)
    if other is not None or len(row_of) != len(ids):
        found = f"{len(row_of)} queries, without {other!r}" if other is not None else f"{len(row_of)} queries"
        allowed = f"the {len(ids)} queries of the first level"
        raise InvalidArgument(f"levels[{name!r}]", found, allowed, "fit the queries that all levels have")
    return np.array([row_of[query] for query in ids], dtype=np.intp)


def _limits(name: str, cap: npt.ArrayLike, n: int) -> npt.NDArray[np.float64]:
    column = at_least(f"caps[{name!r}]", cap, 1.0, "tokens")
    if len(column) not in (1, n):
        found = f"of length {len(column)}"
        raise InvalidArgument(f"caps[{name!r}]", found, f"length {n} or a number", "pass one cap per query")
    limits: npt.NDArray[np.float64] = np.minimum(np.broadcast_to(np.ceil(column), n), MAX_TOKENS)
    return limits
