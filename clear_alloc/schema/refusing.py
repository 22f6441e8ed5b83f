"""The wording of refusals: one complaint about a row, with its value, what is allowed and what to do."""

from __future__ import annotations

from typing import NoReturn

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from clear_alloc.errors import InvalidArgument

__all__ = ["Absent", "refusal", "refuse"]


class Absent:
    """Stands in a refusal for a value that is not there."""

    def __repr__(self) -> str:
        return "missing"


def refuse(field: str, value: object, allowed: str, remedy: str) -> NoReturn:
    """Raise what a validator raises for a rule of the row."""
    context = {"field": field, "value": value, "allowed": allowed, "remedy": remedy}
    raise PydanticCustomError("row_rule", "{field} is {value}; allowed: {allowed}; {remedy}", context)


def refusal(error: ValidationError, model: type[BaseModel]) -> InvalidArgument:
    """The first complaint of `error` about a row of `model`, as an exception of our own."""
    first = error.errors(include_url=False)[0]
    kind, where, value = first["type"], first["loc"], first["input"]
    if kind == "row_rule":
        rule = first["ctx"]
        return InvalidArgument(rule["field"], rule["value"], rule["allowed"], rule["remedy"])
    field, position = str(where[0]), next((part for part in where[1:] if isinstance(part, int)), None)
    if kind == "extra_forbidden":
        allowed = f"the columns {', '.join(model.model_fields)}"
        return InvalidArgument(field, value, allowed, f"remove {field} or correct its name")
    allowed = str(model.model_fields[field].description)
    if kind == "missing" and len(where) == 1:
        return InvalidArgument(field, Absent(), allowed, f"add {field}")
    return InvalidArgument(field, value, allowed, "correct the value or leave the row out", position)
