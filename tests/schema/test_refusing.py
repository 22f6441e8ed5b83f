"""Refusals name the field, its value and what is allowed."""

from __future__ import annotations

import pytest
from support.rows import SURGE, refused

from clear_alloc.errors import InvalidArgument
from clear_alloc.schema import (
    Query,
    QueryRow,
)

BAD_FIELDS = [
    ("threshold", -1, "at least 0"),
    ("threshold", float("nan"), "finite"),
    ("threshold", float("inf"), "finite"),
    ("threshold", "900", "finite number"),
    ("threshold", True, "finite number"),
    ("threshold", 2.0**53 + 2, "2**53"),
    ("width", 0, "at least 1e-12"),
    ("width", -2, "at least 1e-12"),
    ("peak", 0, "above 0 and at most 1"),
    ("peak", 1.5, "above 0 and at most 1"),
    ("weight", -0.5, "at least 0"),
    ("weight", float("nan"), "finite value"),
    ("min_tokens", 1.5, "whole number"),
    ("min_tokens", -1, "at least 0"),
    ("max_tokens", float("inf"), "whole number"),
    ("id", "", "at least one character"),
    ("id", 1.5, "name"),
    ("id", None, "name"),
    ("family", "surge", "'lognormal'"),
]


@pytest.mark.parametrize(("field", "value", "allowed"), BAD_FIELDS)
def test_a_bad_field_is_named_with_its_value_and_what_is_allowed(field, value, allowed):
    with pytest.raises(InvalidArgument) as caught:
        Query(**{**SURGE, field: value})
    error = caught.value
    assert error.argument == field
    assert error.value == value or (value != value and error.value != error.value)
    assert allowed in error.allowed
    assert error.remedy == "correct the value or leave the row out"


def test_a_misspelt_column_is_refused_with_the_names_that_exist():
    message = refused(QueryRow, **SURGE, treshold=900)
    assert message.startswith("treshold is 900; allowed: the columns id, family, threshold,")
    assert message.endswith("remove treshold or correct its name")
