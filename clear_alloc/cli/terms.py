"""The terms of an allocation as options of a command, and as `allocate` takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from clear_alloc.errors import InvalidArgument
from clear_alloc.files import CurveFile
from clear_alloc.market.terms import help_of

__all__ = [
    "Budget",
    "Call",
    "Ceiling",
    "Charged",
    "Fallback",
    "Floor",
    "GroupsIn",
    "Levels",
    "Overrun",
    "Price",
    "Rate",
    "Start",
    "check_pool",
    "check_whole",
    "terms_of",
    "unit_of",
]

Budget = Annotated[
    float | None, typer.Option(help="What all queries together may cost: tokens, or money with rates.")
]
Price = Annotated[
    float | None, typer.Option(help="In place of a budget: value that a budget unit must buy, for every query.")
]
Start = Annotated[
    float | None, typer.Option(help="A guess of the price, as that of the last batch: saves time, changes nothing.")
]
Charged = Annotated[str, typer.Option(help=help_of("accounting"))]
Overrun = Annotated[float | None, typer.Option(help=help_of("overrun"))]
Floor = Annotated[int, typer.Option(help=help_of("min_tokens"))]
Ceiling = Annotated[int | None, typer.Option(help=help_of("max_tokens"))]
Levels = Annotated[str | None, typer.Option(help=help_of("levels"))]
Fallback = Annotated[int, typer.Option(help=help_of("fallback"))]
Rate = Annotated[float | None, typer.Option(help=help_of("rate"))]
Call = Annotated[float | None, typer.Option(help=help_of("call"))]
GroupsIn = Annotated[
    Path | None,
    typer.Option(
        "--groups", help="Groups: name, parent, budget, guarantee, min_funded. Curves name theirs in group."
    ),
]

_LEVEL = re.compile(r"(\d{1,16})(-(\d{1,16})?)?", re.ASCII)


def terms_of(
    file: CurveFile, accounting: str, overrun: float | None, levels: str | None, **said: Any
) -> dict[str, Any]:
    """Keyword arguments of `allocate`: the options of the command joined with the rows of the file."""
    terms = {"accounting": accounting, **file.terms(levels=_levels(levels), **said)}
    if overrun is not None:
        if accounting == "reserved":
            remedy = "add --accounting expected, or leave --overrun out"
            raise InvalidArgument(
                "--overrun", overrun, "absent with reserved accounting, which never overruns", remedy
            )
        terms["overrun"] = overrun
    return terms


def check_pool(budget: float | None, price: float | None, start: float | None, groups: Path | None) -> None:
    """Refuse options of `allocate` that exclude each other."""
    if budget is None and price is None:
        remedy = "name the size of the pool, or what a budget unit must buy"
        raise InvalidArgument("--budget", None, "one of --budget and --price", remedy)
    if budget is not None and price is not None:
        raise InvalidArgument("--price", price, "one of --budget and --price", "leave one of them out")
    for option, value in (("--price", price), ("--start", start)):
        if groups is not None and value is not None:
            raise InvalidArgument(option, value, "absent beside --groups", f"leave {option} or --groups out")


def check_whole(terms: Mapping[str, Any], amounts: Mapping[str, float | None]) -> None:
    """Refuse parts of a token: a budget of 4.5 is money whose rate was forgotten, or a slip.

    amounts : budgets by option, None where absent.
    """
    for option, amount in amounts.items():
        if unit_of(terms) == "token" and amount is not None and isfinite(amount) and not amount.is_integer():
            remedy = "give whole tokens or, where the budget is money, the price of a token with --rate"
            raise InvalidArgument(option, amount, "a whole number of tokens without --rate and --call", remedy)


def unit_of(terms: Mapping[str, Any]) -> str:
    """`token`, or `unit` where the terms give tokens a price; as `Allocation.unit`."""
    return "token" if terms["rate"] is None and terms["call"] is None else "unit"


def _levels(text: str | None) -> set[int | tuple[int, int | None]] | None:
    return None if text is None else {_level(part.strip(), text) for part in text.split(",")}


def _level(part: str, text: str) -> int | tuple[int, int | None]:
    match = _LEVEL.fullmatch(part)
    if match is None:
        raise typer.BadParameter(
            f"--levels is {text!r}; allowed: whole tokens with commas, as 0,1024,4096, or 0 and a range, as "
            "0,1024-32000 or 0,1024-"
        )
    low, dash, high = match.groups()
    return (int(low), int(high) if high else None) if dash else int(low)
