"""One query: the row of a curves file, and the same built in Python."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clear_alloc.columns.validate import MIN_SCALE
from clear_alloc.curves.lognormal import MAX_SPREAD
from clear_alloc.errors import InvalidArgument
from clear_alloc.market.read_limits import read_feasible
from clear_alloc.schema.kinds import LEAST, MOST, Call, Levels, Name, Rate, Real, Reals, Weight, Whole
from clear_alloc.schema.refusing import Absent, refusal, refuse
from clear_alloc.schema.words import ID, NO_MORE, TOKENS, WEIGHT

__all__ = ["EVERY_PARAMETER", "OPTIONAL", "PARAMETERS", "Query", "QueryRow"]

Family = Literal["shifted_surge", "cumulative_surge", "lognormal", "menu"]

PARAMETERS: dict[str, tuple[str, ...]] = {
    "shifted_surge": ("threshold", "width", "peak"),
    "cumulative_surge": ("threshold", "width", "solvability"),
    "lognormal": ("median", "spread", "solvability"),
    "menu": ("costs", "values"),
}
OPTIONAL: dict[str, tuple[str, ...]] = {"menu": ("expected", "deviation")}
EVERY_PARAMETER = tuple(
    dict.fromkeys(name for group in (PARAMETERS, OPTIONAL) for own in group.values() for name in own)
)

MIN_SPREAD = 1e-9  # natural log; below it the rise is narrower than one token at any length

_SCALE = f"a finite number of tokens, at least {MIN_SCALE:g} {NO_MORE}"
_PLACE = f"a finite number of tokens, at least 0 {NO_MORE}"
_SPREAD = f"a standard deviation of the natural log of tokens, {MIN_SPREAD:g} to {MAX_SPREAD:g}"
_COSTS = f"a list with the finite tokens of each option, at least 0 {NO_MORE}"
_VALUES = f"a list with the finite value of each option, at least 0 {NO_MORE}"
_CHANCE = "a probability above 0 and at most 1 (weight scales it)"
_RATE = f"budget units per token, finite, at least {LEAST['rate']:g} {NO_MORE}; of a menu also a list, one per option"
_CALL = (
    f"budget units per call, finite, 0 or at least {LEAST['call']:g} {NO_MORE}; of a menu also a list, one per option"
)
_LEVELS = (
    "a list of whole caps in tokens, [0, 1024, 4096], or of 0 and a range, [0, [1024, 32000]] or [0, [1024, null]]"
)


class QueryRow(BaseModel):
    """One line of a curves file: a query, the curve of its answer's value against its cap, and its own terms.

    The curve's parameters stand flat on the row; exactly those of `family` must be there (`PARAMETERS`, and
    `OPTIONAL` if known), and null counts as absent. Numbers must be numbers: text and booleans are refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: Name = Field(min_length=1, description=ID)
    family: Family = Field(description="'shifted_surge', 'cumulative_surge', 'lognormal' or 'menu'")
    threshold: Real | None = Field(None, ge=0, le=MOST, description=_PLACE)
    width: Real | None = Field(None, ge=MIN_SCALE, le=MOST, description=_SCALE)
    peak: Real | None = Field(None, gt=0, le=1, description=_CHANCE)
    median: Real | None = Field(None, ge=MIN_SCALE, le=MOST, description=_SCALE)
    spread: Real | None = Field(None, ge=MIN_SPREAD, le=MAX_SPREAD, description=_SPREAD)
    solvability: Real | None = Field(None, gt=0, le=1, description=_CHANCE)
    costs: Reals | None = Field(None, min_length=1, description=_COSTS)
    values: Reals | None = Field(None, min_length=1, description=_VALUES)
    expected: Reals | None = Field(None, min_length=1, description=_COSTS)
    deviation: Reals | None = Field(None, min_length=1, description=_COSTS)
    weight: Weight = Field(1.0, ge=0, le=MOST, description=WEIGHT)
    min_tokens: Whole | None = Field(None, ge=0, le=MOST, description=TOKENS)
    max_tokens: Whole | None = Field(None, ge=0, le=MOST, description=TOKENS)
    levels: Levels | None = Field(None, min_length=1, description=_LEVELS)
    fallback: Whole | None = Field(None, ge=0, le=MOST, description=TOKENS)
    rate: Rate | None = Field(None, description=_RATE)
    call: Call | None = Field(None, description=_CALL)
    group: Name | None = Field(None, min_length=1, description=ID)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # Another family's parameters are None on every query; a reader wants those that are there.
        return ((name, value) for name, value in super().__repr_args__() if value is not None)

    def curve_parameters(self) -> dict[str, Any]:
        """Keyword arguments of the family's class, one value each; None leaves one to the class's default."""
        names = (*PARAMETERS[self.family], *OPTIONAL.get(self.family, ()), "weight")
        return {name: getattr(self, name) for name in names}

    @model_validator(mode="after")
    def _fits_its_family(self) -> Self:
        own, optional = PARAMETERS[self.family], OPTIONAL.get(self.family, ())
        for name in EVERY_PARAMETER:
            value = getattr(self, name)
            if name not in optional and (value is None) == (name in own):
                _refuse_parameter(self.family, name, value)
        return self

    @model_validator(mode="after")
    def _has_paired_options(self) -> Self:
        costs = self.costs
        if costs is None:
            return self
        for name in ("values", "expected", "deviation"):
            self._check_length(name, getattr(self, name), "pair every cost with one number")
        for cost in costs:
            if 0 < cost < MIN_SCALE:
                refuse("costs", cost, f"0, or at least {MIN_SCALE:g} tokens", "check the unit of the costs")
        for cost, burned in zip(costs, self.expected or (), strict=False):
            if burned > cost:
                refuse("expected", burned, f"at most the option's cost, {cost:g} tokens", "correct the option")
        return self

    @model_validator(mode="after")
    def _has_a_price_per_option(self) -> Self:
        for name in ("rate", "call"):
            value = getattr(self, name)
            if isinstance(value, tuple):
                if self.family != "menu":
                    refuse(name, list(value), "one number, since only a menu has options", "give one number")
                self._check_length(name, value, "give one number, or one per option")
        return self

    def _check_length(self, name: str, values: tuple[float, ...] | None, remedy: str) -> None:
        if values is not None and len(values) != len(self.costs or ()):
            refuse(name, list(values), f"as many numbers as costs: {len(self.costs or ())}", remedy)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.threshold is not None and self.width is not None and self.width < math.ulp(self.threshold):
            allowed = f"at least {math.ulp(self.threshold):g}, what float64 can add to threshold {self.threshold:g}"
            refuse("width", self.width, allowed, "widen the curve, or write the step as a menu of one option")
        for name in ("min_tokens", "fallback"):
            own = getattr(self, name)
            if own is not None and self.max_tokens is not None and own > self.max_tokens:
                allowed = f"at most max_tokens = {self.max_tokens} tokens"
                refuse(name, own, allowed, f"lower {name} or raise max_tokens")
        if self.levels is not None:
            _check_levels(self.levels, self.min_tokens, self.max_tokens, self.fallback)
        return self


@lru_cache(maxsize=1024)  # rows of one file have few kinds of levels
def _check_levels(
    levels: tuple[Any, ...], min_tokens: int | None, max_tokens: int | None, fallback: int | None
) -> None:
    ranges = {level for level in levels if isinstance(level, tuple)}
    if len(ranges) > 1 or (ranges and any(level for level in levels if not isinstance(level, tuple))):
        refuse("levels", list(levels), "whole caps alone, or one range and 0", "list the caps one by one")
    try:
        read_feasible(1, min_tokens or 0, max_tokens, [list(levels)], fallback or 0)
    except InvalidArgument as error:
        refuse(error.argument, error.value, error.allowed, error.remedy)


def _refuse_parameter(family: str, name: str, value: object) -> None:
    optional = f" and optionally {', '.join(OPTIONAL[family])}" if family in OPTIONAL else ""
    takes = f"family {family!r} takes {', '.join(PARAMETERS[family])}{optional}"
    if value is None:
        described = QueryRow.model_fields[name].description
        refuse(name, Absent(), f"{described}; {takes}", f"add {name}")
    refuse(name, value, f"absent, since {takes}", f"remove {name} or change the family")


class Query(QueryRow):
    """A query built in Python; what a curves file says on one line, with the same rules.

    Parameters
    ----------
    id : str
        Unique name.
    family : {"shifted_surge", "cumulative_surge", "lognormal", "menu"}
    threshold, width, median : float
        Tokens. `spread` has no unit; `peak` and `solvability` are probabilities in (0, 1].
    costs, values : sequences of float
        A menu's options: tokens, and value of the answer.
    expected, deviation : sequences of float, optional
        Tokens that each option of a menu is expected to burn, at most its cost, and their standard deviation.
    weight : float, default 1
        Value of one right answer.
    min_tokens, max_tokens : int, optional
        Floor and ceiling of the cap.
    levels : list, optional
        The only caps allowed, token: `[0, 1024, 4096]`, or 0 and a range, `[0, [1024, 32000]]`; None as its high
        end is no limit.
    fallback : int, optional
        Tokens that the query gets where it is not funded.
    rate, call : float, or one per option of a menu, optional
        Budget units per token, and per call. Given on every query of a list or on none.
    group : str, optional
        The group whose budget the query shares.

    Raises
    ------
    InvalidArgument
        A field is missing, foreign to the family or out of range. `model_validate` keeps pydantic's
        `ValidationError`, so that the model can be a field of your own.

    >>> Query(id="a", family="shifted_surge", threshold=900, width=250, peak=0.8).weight
    1.0
    """

    def __init__(self, **data: Any):
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise refusal(error, QueryRow) from None
