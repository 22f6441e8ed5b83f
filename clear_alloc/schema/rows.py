"""One pydantic model per kind of row, and the wording of their refusals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from clear_alloc.curves.columns import MAX_TOKENS, MIN_SCALE
from clear_alloc.curves.lognormal import MAX_SPREAD
from clear_alloc.errors import InvalidArgument

__all__ = ["EVERY_PARAMETER", "PARAMETERS", "CapRow", "Query", "QueryRow", "RolloutRow", "ScoreRow", "refusal"]

Family = Literal["shifted_surge", "cumulative_surge", "lognormal", "menu"]

PARAMETERS: dict[str, tuple[str, ...]] = {
    "shifted_surge": ("threshold", "width", "peak"),
    "cumulative_surge": ("threshold", "width", "solvability"),
    "lognormal": ("median", "spread", "solvability"),
    "menu": ("costs", "values"),
}
EVERY_PARAMETER = tuple(dict.fromkeys(name for names in PARAMETERS.values() for name in names))

MIN_SPREAD = 1e-9  # natural log; below it the rise is narrower than one token at any length

_MOST = int(MAX_TOKENS)
_NO_MORE = f"and at most 2**53 = {_MOST:,}"


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


def _listed(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _weight(value: object) -> object:
    return 1.0 if value is None else _plain(value)


Real = Annotated[float, BeforeValidator(_plain), Strict()]
Whole = Annotated[int, BeforeValidator(_whole), Strict()]
Bit = Annotated[int, BeforeValidator(_bit), Strict()]
Name = Annotated[str, BeforeValidator(_name), Strict()]
Flag = Annotated[bool, BeforeValidator(_plain), Strict()]
Weight = Annotated[float, BeforeValidator(_weight), Strict()]
Reals = Annotated[tuple[Annotated[Real, Field(ge=0, le=_MOST)], ...], BeforeValidator(_listed)]

_ID = "a name of at least one character (a whole number is read as its digits)"
_TOKENS = f"a whole number of tokens, at least 0 {_NO_MORE}"
_LIMIT = f"a whole number of tokens, at least 1 {_NO_MORE}"
_SCALE = f"a finite number of tokens, at least {MIN_SCALE:g} {_NO_MORE}"
_PLACE = f"a finite number of tokens, at least 0 {_NO_MORE}"
_SPREAD = f"a standard deviation of the natural log of tokens, {MIN_SPREAD:g} to {MAX_SPREAD:g}"
_COSTS = f"a list with the finite tokens of each option, at least 0 {_NO_MORE}"
_VALUES = f"a list with the finite value of each option, at least 0 {_NO_MORE}"
_CHANCE = "a probability above 0 and at most 1 (weight scales it)"
_WEIGHT = f"a finite value of one right answer, at least 0 {_NO_MORE}"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class QueryRow(_Row):
    """One line of a curves file: a query and the curve of its answer's value against its cap.

    The curve's parameters stand flat on the row; exactly those of `family` must be there (`PARAMETERS`), and
    null counts as absent. Numbers must be numbers: text and booleans are refused.
    """

    id: Name = Field(min_length=1, description=_ID)
    family: Family = Field(description="'shifted_surge', 'cumulative_surge', 'lognormal' or 'menu'")
    threshold: Real | None = Field(None, ge=0, le=_MOST, description=_PLACE)
    width: Real | None = Field(None, ge=MIN_SCALE, le=_MOST, description=_SCALE)
    peak: Real | None = Field(None, gt=0, le=1, description=_CHANCE)
    median: Real | None = Field(None, ge=MIN_SCALE, le=_MOST, description=_SCALE)
    spread: Real | None = Field(None, ge=MIN_SPREAD, le=MAX_SPREAD, description=_SPREAD)
    solvability: Real | None = Field(None, gt=0, le=1, description=_CHANCE)
    costs: Reals | None = Field(None, min_length=1, description=_COSTS)
    values: Reals | None = Field(None, min_length=1, description=_VALUES)
    weight: Weight = Field(1.0, ge=0, le=_MOST, description=_WEIGHT)
    min_tokens: Whole | None = Field(None, ge=0, le=_MOST, description=_TOKENS)
    max_tokens: Whole | None = Field(None, ge=0, le=_MOST, description=_TOKENS)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # Another family's parameters are None on every query; a reader wants those that are there.
        return ((name, value) for name, value in super().__repr_args__() if value is not None)

    def curve_parameters(self) -> dict[str, Any]:
        """Keyword arguments of the family's class, one value each."""
        return {name: getattr(self, name) for name in (*PARAMETERS[self.family], "weight")}

    @model_validator(mode="after")
    def _fits_its_family(self) -> Self:
        own = PARAMETERS[self.family]
        for name in EVERY_PARAMETER:
            value = getattr(self, name)
            if (value is None) == (name in own):
                _refuse_parameter(self.family, name, value)
        return self

    @model_validator(mode="after")
    def _has_paired_options(self) -> Self:
        costs, values = self.costs or (), self.values or ()
        if len(costs) != len(values):
            _refuse(
                "values", f"{len(values)} values", f"as many as costs: {len(costs)}", "pair every cost with a value"
            )
        for cost in costs:
            if 0 < cost < MIN_SCALE:
                _refuse("costs", cost, f"0, or at least {MIN_SCALE:g} tokens", "check the unit of the costs")
        return self

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.threshold is not None and self.width is not None and self.width < math.ulp(self.threshold):
            allowed = f"at least {math.ulp(self.threshold):g}, what float64 can add to threshold {self.threshold:g}"
            _refuse("width", self.width, allowed, "widen the curve, or write the step as a menu of one option")
        if self.min_tokens is not None and self.max_tokens is not None and self.min_tokens > self.max_tokens:
            allowed = f"at most max_tokens = {self.max_tokens} tokens"
            _refuse("min_tokens", self.min_tokens, allowed, "lower min_tokens or raise max_tokens")
        return self


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
    weight : float, default 1
        Value of one right answer.
    min_tokens, max_tokens : int, optional
        Floor and ceiling of the cap.

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


class RolloutRow(_Row):
    """One line of a rollouts file: a recorded completion. Real logs have more columns; they are ignored."""

    model_config = ConfigDict(extra="ignore")

    query_id: Name = Field(min_length=1, description=_ID)
    tokens: Whole = Field(ge=0, le=_MOST, description=_TOKENS)
    correct: Bit = Field(ge=0, le=1, description="0 or 1 (or false, true)")
    cap: Whole | None = Field(None, ge=1, le=_MOST, description=_LIMIT)
    weight: Weight = Field(1.0, ge=0, le=_MOST, description=_WEIGHT)

    @model_validator(mode="after")
    def _ends_at_its_cap(self) -> Self:
        if self.cap is not None and self.tokens > self.cap:
            remedy = "count both with the same tokenizer, or leave cap empty"
            _refuse("tokens", self.tokens, f"at most the row's cap, {self.cap}", remedy)
        return self


class ScoreRow(_Row):
    """One line of a scores file: whether the answer to a request of a batch is right. Other columns are ignored."""

    model_config = ConfigDict(extra="ignore")

    custom_id: Name = Field(min_length=1, description=_ID)
    correct: Bit = Field(ge=0, le=1, description="0 or 1 (or false, true)")


class CapRow(_Row):
    """One line of a caps file: what one query is granted. `choice` is a menu's option, -1 for none."""

    query_id: Name = Field(min_length=1, description=_ID)
    tokens: Whole = Field(ge=0, le=_MOST, description=_TOKENS)
    funded: Flag = Field(description="true or false")
    choice: Whole | None = Field(None, ge=-1, le=_MOST, description="the index of an option, or -1 for none")


class _Absent:
    def __repr__(self) -> str:
        return "missing"


def _refuse(field: str, value: object, allowed: str, remedy: str) -> None:
    context = {"field": field, "value": value, "allowed": allowed, "remedy": remedy}
    raise PydanticCustomError("row_rule", "{field} is {value}; allowed: {allowed}; {remedy}", context)


def _refuse_parameter(family: str, name: str, value: object) -> None:
    takes = f"family {family!r} takes {', '.join(PARAMETERS[family])}"
    if value is None:
        described = QueryRow.model_fields[name].description
        _refuse(name, _Absent(), f"{described}; {takes}", f"add {name}")
    _refuse(name, value, f"absent, since {takes}", f"remove {name} or change the family")


def refusal(error: ValidationError, model: type[BaseModel]) -> InvalidArgument:
    """The first complaint of `error` about a row of `model`, as an exception of our own."""
    first = error.errors(include_url=False)[0]
    kind, where, value = first["type"], first["loc"], first["input"]
    if kind == "row_rule":
        rule = first["ctx"]
        return InvalidArgument(rule["field"], rule["value"], rule["allowed"], rule["remedy"])
    if not where:
        detail = first.get("ctx", {}).get("error", "it is something else")
        return InvalidArgument("the row", value, "one JSON object", f"repair the row ({detail})")
    field, position = str(where[0]), next((part for part in where[1:] if isinstance(part, int)), None)
    if kind == "extra_forbidden":
        allowed = f"the columns {', '.join(model.model_fields)}"
        return InvalidArgument(field, value, allowed, f"remove {field} or correct its name")
    allowed = str(model.model_fields[field].description)
    if kind == "missing":
        return InvalidArgument(field, _Absent(), allowed, f"add {field}")
    return InvalidArgument(field, value, allowed, "correct the value or leave the row out", position)
