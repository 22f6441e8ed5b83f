"""What every refusal of an argument says."""

from __future__ import annotations

import math

import clear_alloc as ca


def refused(caught, argument, row, value, allowed):
    error = caught.value
    assert isinstance(error, ca.ClearAllocError)
    assert isinstance(error, ValueError)
    assert (error.argument, error.row) == (argument, row)
    same = error.value == value or (isinstance(value, float) and math.isnan(value) and math.isnan(error.value))
    assert same
    assert allowed in error.allowed
    assert len(error.remedy) > 10
    where = argument if row is None else f"{argument}[{row}]"
    assert str(error).startswith(f"{where} is ")
    assert str(error).endswith(f"; allowed: {error.allowed}; {error.remedy}")
    assert len(str(error)) < 400
