"""The models' bounds applied to whole columns at once, for tables of a million rows.

This never has the last word: a suspect row is shown to its model, which refuses it with a message or lets it
pass. So there is one verdict and one wording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from clear_alloc.schema.kinds import LEAST, MOST
from clear_alloc.schema.queries import EVERY_PARAMETER, PARAMETERS, QueryRow
from clear_alloc.schema.rows import REASONS

__all__ = ["AMOUNTS", "LISTS", "TEXTS", "WHOLE", "Column", "suspects"]


class Column(NamedTuple):
    """A column of a table: `values`, and where they are `missing` and mean nothing, both of shape (n,)."""

    values: npt.NDArray[Any]
    missing: npt.NDArray[np.bool_]


WHOLE = frozenset({"tokens", "cap", "min_tokens", "max_tokens", "fallback", "correct", "choice"})
LISTS = frozenset({"costs", "values", "expected", "deviation", "levels"})
AMOUNTS = frozenset(LEAST)  # one number, or a list of them
TEXTS = frozenset({"id", "query_id", "custom_id", "family", "group", "name", "parent", "reason"})

# numpy kinds of column whose values the models take: text or whole numbers as names, booleans as correct, ...
_KINDS = {**dict.fromkeys(TEXTS, "Oiu"), "correct": "iufb", "funded": "b", "capped": "b", **dict.fromkeys(LISTS, "")}
Clash = Callable[[npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[np.bool_]]
_TESTS = {"ge": np.greater_equal, "gt": np.greater, "le": np.less_equal}


def suspects(model: type[BaseModel], columns: Mapping[str, Column]) -> npt.NDArray[np.bool_]:
    """Rows, shape (n,), that `model` may refuse; it would accept all others. O(n), in bulk.

    `columns` holds at least one column and only names of the model's fields, each of length n.
    """
    n = len(next(iter(columns.values())).values)
    doubt = np.zeros(n, dtype=bool)
    for name, field in model.model_fields.items():
        if name in columns:
            column = columns[name]
            doubt |= np.where(
                column.missing, field.is_required(), _out_of_bounds(name, column.values, field.metadata)
            )
        elif field.is_required():
            doubt[:] = True
    for one, other, clash in _RIVALS:
        doubt |= _at_odds(columns, one, other, clash)
    return doubt | _family_doubts(columns, n) if issubclass(model, QueryRow) else doubt


def _at_odds(columns: Mapping[str, Column], one: str, other: str, clash: Clash) -> npt.NDArray[np.bool_] | bool:
    if not {one, other} <= columns.keys():
        return False
    (left, no_left), (right, no_right) = columns[one], columns[other]
    if not {left.dtype.kind, right.dtype.kind} <= set("iuf"):
        return False  # already in doubt for its type
    with np.errstate(invalid="ignore"):  # so is infinity, which has no spacing
        return ~no_left & ~no_right & clash(left, right)


def _lost_in(threshold: npt.NDArray[Any], width: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    lost: npt.NDArray[np.bool_] = width < np.spacing(threshold.astype(np.float64))
    return lost


_RIVALS: tuple[tuple[str, str, Clash], ...] = (
    ("min_tokens", "max_tokens", np.greater),
    ("fallback", "max_tokens", np.greater),
    ("tokens", "cap", np.greater),
    ("threshold", "width", _lost_in),
)


def _out_of_bounds(name: str, values: npt.NDArray[Any], bounds: list[Any]) -> npt.NDArray[np.bool_]:
    if values.dtype.kind not in _KINDS.get(name, "iuf"):
        return np.ones(len(values), dtype=bool)
    if values.dtype.kind == "O":
        known = REASONS if name == "reason" else None
        good = (type(v) is str and v and (known is None or v in known) for v in values)
        return ~np.fromiter(map(bool, good), dtype=bool, count=len(values))
    if name in TEXTS:
        return np.full(len(values), name == "reason")
    bad: npt.NDArray[np.bool_] = ~np.isfinite(values)
    if name in WHOLE:
        bad |= values != np.rint(values)
    if name in AMOUNTS:  # whose bounds stand on each number, not on the field
        bad |= (values < LEAST[name]) & ((values != 0) | (name != "call")) | (values > MOST)
    for bound in bounds:
        for test, passes in _TESTS.items():
            if (limit := getattr(bound, test, None)) is not None:
                bad |= ~passes(values, limit)
    return bad


def _family_doubts(columns: Mapping[str, Column], n: int) -> npt.NDArray[np.bool_]:
    # A row is beyond doubt if its smooth family has its own parameters and no other; menus are for the model.
    doubt = np.ones(n, dtype=bool)
    present = {name: ~columns[name].missing if name in columns else np.zeros(n, bool) for name in EVERY_PARAMETER}
    families = columns["family"].values if "family" in columns else np.full(n, "")
    for family, own in PARAMETERS.items():
        if family != "menu":
            fits = [present[name] == (name in own) for name in EVERY_PARAMETER]
            doubt &= ~((families == family) & np.logical_and.reduce(fits))
    return doubt
