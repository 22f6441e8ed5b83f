"""Kinds of cell: what a number, a name or a list may look like before its bounds are asked for."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Strict, Tag

from clear_alloc.columns.validate import MAX_TOKENS
from clear_alloc.market.tariff import LEAST_RATE

__all__ = [
    "LEAST",
    "MOST",
    "Bit",
    "Call",
    "Flag",
    "Levels",
    "Name",
    "OptionalName",
    "Rate",
    "Real",
    "Reals",
    "Share",
    "Weight",
    "Whole",
]

MOST = int(MAX_TOKENS)
LEAST = {"rate": LEAST_RATE, "call": LEAST_RATE}  # budget units per token and, unless 0, per call


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _whole(value: object) -> object:
    value = _plain(value)
    # 512.0 is how a table with a gap spells 512; True is how a log spells "correct".
    return int(value) if type(value) is float and value.is_integer() else value


def _bit(value: object) -> object:
    value = _whole(value)
    return int(value) if type(value) is bool else value


def _name(value: object) -> object:
    value = _plain(value)
    return str(value) if type(value) is int else value


def _name_or_none(value: object) -> object:
    return None if value == "" else value


def _listed(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _lone(value: object) -> object:
    # A list of one number is that number: all rows of a Parquet column are lists, or none is.
    value = _listed(value)
    return value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value


def _one_if_none(value: object) -> object:
    return 1.0 if value is None else _plain(value)


def _zero_if_none(value: object) -> object:
    return 0.0 if value is None else _plain(value)


def _call(value: float) -> float:
    if 0.0 < value < LEAST["call"]:
        raise ValueError("neither 0 nor a price")
    return value


def _shape(value: object) -> str:
    return "several" if isinstance(value, (list, tuple)) else "one"


Real = Annotated[float, BeforeValidator(_plain), Strict()]
Whole = Annotated[int, BeforeValidator(_whole), Strict()]
Bit = Annotated[int, BeforeValidator(_bit), Strict()]
Name = Annotated[str, BeforeValidator(_name), Strict()]
OptionalName = Annotated[Name | None, BeforeValidator(_name_or_none)]
Flag = Annotated[bool, BeforeValidator(_plain), Strict()]
Weight = Annotated[float, BeforeValidator(_one_if_none), Strict()]
Share = Annotated[float, BeforeValidator(_zero_if_none), Strict()]
Reals = Annotated[tuple[Annotated[Real, Field(ge=0, le=MOST)], ...], BeforeValidator(_listed)]

# One number for a query, or one for each option of a menu.
_PerToken = Annotated[Real, Field(ge=LEAST["rate"], le=MOST)]
_PerCall = Annotated[Real, Field(ge=0, le=MOST), AfterValidator(_call)]
Rate = Annotated[
    Annotated[_PerToken, Tag("one")] | Annotated[tuple[_PerToken, ...], Tag("several")],
    Discriminator(_shape),
    BeforeValidator(_lone),
]
Call = Annotated[
    Annotated[_PerCall, Tag("one")] | Annotated[tuple[_PerCall, ...], Tag("several")],
    Discriminator(_shape),
    BeforeValidator(_lone),
]

# Whole caps and ranges (low, high) of them; a range without a high end has None there.
_Cap = Annotated[Whole, Field(ge=0, le=MOST)]
_Level = Annotated[
    Annotated[_Cap, Tag("one")] | Annotated[tuple[_Cap, _Cap | None], Tag("several")], Discriminator(_shape)
]
Levels = Annotated[tuple[_Level, ...], BeforeValidator(_listed)]
