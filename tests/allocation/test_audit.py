"""The audit: every public field tampered with, and every false promise found."""

from __future__ import annotations

import contextlib
from dataclasses import fields, replace

import numpy as np
import pytest
from support import strategies

import clear_alloc as ca
from clear_alloc.allocation.audit import UTILITY_RTOL
from clear_alloc.columns.ids import QueryIds

either = pytest.mark.parametrize(
    "solver", [contextlib.nullcontext, strategies.repair_only], ids=["solved", "repaired"]
)


BASELINES = (ca.uniform, ca.proportional, ca.cutoff_plus_pad)


CURVES = ca.concatenate([ca.ShiftedSurge([100, 300, 40], 50, [0.5, 0.9, 0.3]),
                         ca.Menu([[30, 60, 61], [500]], [[0.2, 0.3, 0.3], [0.9]])])  # fmt: skip


NAMED = {"ids": list("abcde"), "min_tokens": [0, 0, 5, 0, 0], "max_tokens": 400}


def altered(array, row, value):
    copy = array.copy()
    copy[row] = value
    return copy


def renamed(result, names):
    return {"_problem": result._problem._replace(names=QueryIds(tuple(names)))}


TAMPERED = {
    "a token more": lambda r: {"tokens": np.add(r.tokens, [1, 0, 0, 0, 0])},
    "a token moved": lambda r: {"tokens": np.add(r.tokens, [1, 0, -1, 0, 0])},
    "a token more, and said so": lambda r: {"tokens": np.add(r.tokens, [60, 0, 0, 0, 0]), "spent": r.spent + 60},
    "a negative cap": lambda r: {"tokens": altered(r.tokens, 4, -5), "spent": r.spent - 5},
    "a cap below its floor": lambda r: {"tokens": altered(r.tokens, 2, 4), "spent": r.spent - r.tokens[2] + 4},
    "a cap above its ceiling": lambda r: {"tokens": altered(r.tokens, 4, 401), "budget": 1e4, "spent": r.spent + 401},
    "one query short": lambda r: {"tokens": r.tokens[:-1]},
    "fractions": lambda r: {"tokens": r.tokens.astype(float)},
    "one funded more": lambda r: {"funded": ~r.funded},
    "too few flags": lambda r: {"funded": r.funded[:-1]},
    "no price": lambda _: {"price": float("nan")},
    "a negative price": lambda r: {"price": -r.price},
    "a price too low": lambda r: {"price": r.price * 0.99},
    "a price too high": lambda r: {"price": r.price * 1.01},
    "a price a little too low": lambda r: {"price": r.price * (1 - 1e-10)},
    "a price a little too high": lambda r: {"price": r.price * (1 + 1e-10)},
    "a price of zero": lambda _: {"price": 0.0},
    "more utility": lambda r: {"utility": r.utility * (1 + 3 * UTILITY_RTOL)},
    "less utility": lambda r: {"utility": r.utility * (1 - 3 * UTILITY_RTOL)},
    "more utility than can be": lambda r: {"utility": r.upper_bound * 1.01},
    "a lower bound": lambda r: {"upper_bound": (r.upper_bound + r.utility) / 2},
    "no gap": lambda r: {"upper_bound": r.utility},
    "a bound below the utility": lambda r: {"upper_bound": r.utility * 0.999},
    "a looser bound": lambda r: {"upper_bound": r.upper_bound * 1.001},
    "a smaller budget": lambda r: {"budget": r.spent - 1},
    "a larger budget": lambda r: {"budget": r.budget + 50},
    "a margin": lambda _: {"margin": 3.0},
    "a deviation": lambda _: {"deviation": 3.0},
    "less spent": lambda r: {"spent": r.spent - 1},
    "another status": lambda _: {"status": ca.Status.SLACK},
    "no status": lambda _: {"status": None},
    "the same name twice": lambda r: renamed(r, "abcda"),
    "too few names": lambda r: renamed(r, "abcd"),
    "another option": lambda r: {"choice": altered(r.choice, 3, 0)},
    "an option that is not there": lambda r: {"choice": altered(r.choice, 3, 7)},
    "an option of equal value that is not covered": lambda r: {"choice": altered(r.choice, 3, 2)},
    "an option for a curve": lambda r: {"choice": altered(r.choice, 0, 0)},
    "an option for the unfunded": lambda r: {"choice": altered(r.choice, 4, 0)},
    "no options": lambda _: {"choice": None},
    "another policy": lambda _: {"policy": "uniform"},
}  # fmt: skip


@either
@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_the_audit_finds_every_broken_promise(solver, change):
    with solver():
        result = ca.allocate(CURVES, 260, **NAMED)
    result.audit()
    assert result.gap > 1e-3  # so that a false bound can be told from the true one
    assert result.tokens[3] == 60
    with pytest.raises(ca.AuditFailed, match=r"audit: .*, but .*; please report it"):
        replace(result, **change(result)).audit()


def test_every_public_field_is_tampered_with():
    result = ca.allocate(CURVES, 260, **NAMED)
    touched = {name for change in TAMPERED.values() for name in change(result) if not name.startswith("_")}
    assert touched == {field.name for field in fields(result) if not field.name.startswith("_")}


@pytest.mark.parametrize("policy", BASELINES, ids=lambda policy: policy.__name__)
def test_the_audit_of_a_baseline_finds_a_false_bound_and_a_made_up_price(policy):
    result = policy(CURVES, 260, **NAMED)
    result.audit()
    for change in ({"price": 0.01}, {"upper_bound": result.utility}, {"upper_bound": 2 * result.upper_bound}):
        with pytest.raises(ca.AuditFailed):
            replace(result, **change).audit()


@pytest.mark.parametrize(
    ("levels", "forged"),
    [({0, (50, 149)}, 49), ({0, (50, 149)}, 150), ({0, 120, 149}, 119), ({0, 120, 149}, 150), (None, -1)],
)
def test_the_audit_knows_the_caps_that_are_allowed(levels, forged):
    result = ca.allocate(ca.ShiftedSurge([100.0] * 2, [50.0, 500.0], 0.5), 700, levels=levels)
    result.audit()
    tokens = result.tokens.copy()
    tokens[0] = forged
    with pytest.raises(ca.AuditFailed, match="every cap is between"):
        replace(result, tokens=tokens).audit()
