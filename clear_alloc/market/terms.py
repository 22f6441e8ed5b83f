"""The terms of a budget, each declared once: default, unit, help, and how a query's value joins the one for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import MAX_TOKENS, Accounting
from clear_alloc.errors import InvalidArgument
from clear_alloc.market.read_limits import whole_column
from clear_alloc.market.tariff import RatesLike

__all__ = ["AllocateKwargs", "AllocateOptions", "Merge", "help_of"]


class Merge(Enum):
    """What holds where a term is given for all queries and by a query of its own; the value is the message."""

    NEVER = "it is given for all queries only"
    HIGHER = "the higher of the two holds"
    LOWER = "the lower of the two holds"
    EITHER = "it is given for all queries or by each of them"
    EACH = "it is given for all queries, or by all of them"


def _term(default: Any, help: str, merge: Merge = Merge.NEVER) -> Any:  # noqa: A002 - the name that typer uses
    return field(default=default, metadata={"help": help, "merge": merge})


@dataclass(frozen=True)
class AllocateOptions:
    """What `allocate` and every baseline take besides curves and budget; see `allocate`."""

    accounting: object = _term("reserved", "What a cap costs: reserved (all of it) or expected (what it burns).")
    overrun: float = _term(
        0.05, "Of expected accounting: chance that the sum passes the budget, up to 0.5; else 0.05."
    )
    min_tokens: npt.ArrayLike = _term(0, "Least tokens per query", Merge.HIGHER)
    max_tokens: npt.ArrayLike | None = _term(None, "Most tokens per query", Merge.LOWER)
    levels: object = _term(
        None, "The only caps allowed: 0,1024,4096 or a range, 0,1024-32000 or 0,1024-.", Merge.EITHER
    )
    fallback: npt.ArrayLike = _term(0, "Tokens of a query that is not funded", Merge.HIGHER)
    rate: RatesLike | None = _term(None, "Price of a token, in the unit of the budget.", Merge.EACH)
    call: RatesLike | None = _term(None, "Price of a call besides its tokens, in the unit of the budget.", Merge.EACH)
    ids: Iterable[Any] | None = _term(None, "Names of the queries.")

    def merged(self, own: Mapping[str, Sequence[Any] | npt.NDArray[Any] | None], n: int) -> AllocateOptions:
        """These terms joined with those that n queries have of their own.

        own : by name, one value per query, None (or nan in an array) where a query has none. InvalidArgument where
        both are given and only one may be, and where some queries have a price and others none. O(n).
        """
        changes: dict[str, Any] = {}
        for term in fields(self):
            values, merge = own.get(term.name), term.metadata["merge"]
            if values is None or merge is Merge.NEVER or _all_missing(values):
                continue
            given = getattr(self, term.name)
            if merge in (Merge.HIGHER, Merge.LOWER):
                changes[term.name] = _binding(term.name, given, values, n, merge)
            else:
                changes[term.name] = _alone(term.name, given, values, merge)
        return replace(self, **changes)


class AllocateKwargs(TypedDict, total=False):
    """Keyword arguments of `allocate`, which every baseline takes too; `price` and `start` excepted."""

    accounting: Accounting
    overrun: float
    min_tokens: npt.ArrayLike
    max_tokens: npt.ArrayLike | None
    levels: object
    fallback: npt.ArrayLike
    rate: RatesLike | None
    call: RatesLike | None
    ids: Iterable[Any] | None


def help_of(name: str) -> str:
    """The help of a term, with what holds beside a query's own."""
    metadata = AllocateOptions.__dataclass_fields__[name].metadata
    rule = f", next to the row's own; {metadata['merge'].value}."
    return str(metadata["help"]) + (rule if metadata["merge"] in (Merge.HIGHER, Merge.LOWER) else "")


def _all_missing(values: Sequence[Any] | npt.NDArray[Any]) -> bool:
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return bool(np.isnan(values).all())
    return all(value is None for value in values)


def _binding(name: str, given: Any, values: Sequence[Any] | npt.NDArray[Any], n: int, merge: Merge) -> Any:
    neutral, act = (0.0, np.maximum) if merge is Merge.HIGHER else (MAX_TOKENS, np.minimum)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        filled: Any = np.where(np.isnan(values), neutral, values)
    else:
        filled = [neutral if value is None else value for value in values]
    return act(whole_column(name, neutral if given is None else given, n), whole_column(name, filled, n))


def _alone(name: str, given: Any, values: Sequence[Any] | npt.NDArray[Any], merge: Merge) -> list[Any]:
    if given is not None:
        remedy = "give it once, for all queries or on the queries"
        raise InvalidArgument(name, "given for all, and by queries of their own", "one of the two", remedy)
    if merge is Merge.EITHER:
        return [value if value is None else list(value) for value in values]
    row = next((row for row, value in enumerate(values) if value is None), None)
    if row is not None:
        remedy = "give every query its price, or none"
        raise InvalidArgument(name, None, "a price, as other queries have", remedy, row)
    return list(values)
