"""Good rows of every kind, and how a bad one is refused."""

from __future__ import annotations

import pydantic
import pytest

from clear_alloc.errors import InvalidArgument
from clear_alloc.schema import (
    refusal,
)

SURGE = {"id": "a", "family": "shifted_surge", "threshold": 900, "width": 250, "peak": 0.8}
GOOD = {
    "shifted_surge": SURGE,
    "cumulative_surge": {
        "id": "b", "family": "cumulative_surge", "threshold": 0, "width": 1.5, "solvability": 1
    },
    "lognormal": {"id": "c", "family": "lognormal", "median": 800.0, "spread": 0.4, "solvability": 0.7},
    "menu": {"id": "d", "family": "menu", "costs": [0, 300], "values": [0.2, 0.5]},
}  # fmt: skip
ROLLOUT = {"query_id": "a", "tokens": 512, "correct": 1}


def refused(model, **row):
    with pytest.raises(pydantic.ValidationError) as caught:
        model.model_validate(row)
    return str(refusal(caught.value, model))


def admits(build, row):
    try:
        build(**row)
    except InvalidArgument:
        return False
    return True
