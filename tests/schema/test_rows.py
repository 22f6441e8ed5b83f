"""Rollouts, caps and groups: what is let in and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from support.rows import ROLLOUT, refused

from clear_alloc.schema import (
    CapRow,
    GroupRow,
    RolloutRow,
)


def test_a_group_has_a_name_and_perhaps_a_place_and_limits():
    assert GroupRow(name=7).model_dump() == {
        "name": "7", "parent": None, "budget": None, "guarantee": 0.0, "min_funded": 0.0
    }  # fmt: skip
    row = GroupRow(name="a", parent="", budget=0, guarantee=None, min_funded=None)
    assert (row.parent, row.budget, row.guarantee, row.min_funded) == (None, 0.0, 0.0, 0.0)
    for field, bad in (
        ("name", ""), ("parent", 1.5), ("budget", -1), ("budget", float("inf")), ("guarantee", -0.1),
        ("guarantee", "1"), ("min_funded", 1.1), ("min_funded", -0.1), ("min_funded", True),
    ):  # fmt: skip
        assert refused(GroupRow, **{"name": "a", field: bad}).startswith(f"{field} is {bad!r}; allowed: ")
    assert refused(GroupRow, name="a", bugdet=3).startswith("bugdet is 3; allowed: the columns name, parent, budget,")


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("tokens", -1, "at least 0"),
        ("tokens", 1.5, "whole number"),
        ("tokens", "512", "whole number"),
        ("tokens", True, "whole number"),
        ("tokens", 2**53 + 1, "2**53"),
        ("correct", 2, "0 or 1"),
        ("correct", 0.5, "0 or 1"),
        ("correct", "1", "0 or 1"),
        ("correct", None, "0 or 1"),
        ("query_id", "", "at least one character"),
        ("cap", 0, "at least 1"),
        ("cap", 99.5, "whole number"),
        ("weight", -1, "at least 0"),
    ],
)
def test_a_bad_rollout_is_refused(field, value, allowed):
    message = refused(RolloutRow, **{**ROLLOUT, field: value})
    assert message.startswith(f"{field} is {value!r}; allowed: ")
    assert allowed in message


def test_a_rollout_ends_at_its_cap():
    assert refused(RolloutRow, **ROLLOUT, cap=511).startswith("tokens is 512; allowed: at most the row's cap, 511")
    assert RolloutRow(**ROLLOUT, cap=512).cap == 512


@pytest.mark.parametrize("correct", [1, 1.0, True, np.int8(1), np.bool_(True)])
def test_correct_is_one_in_many_spellings(correct):
    row = RolloutRow(**{**ROLLOUT, "correct": correct, "tokens": 512.0}, question="ignored")
    assert (row.correct, row.tokens, type(row.correct), type(row.tokens)) == (1, 512, int, int)


def test_funded_is_a_flag_and_nothing_else():
    assert CapRow(query_id="a", tokens=3, funded=np.bool_(True)).funded is True
    assert refused(CapRow, query_id="a", tokens=3, funded=1).startswith("funded is 1; allowed: true or false")
    assert refused(CapRow, query_id="a", tokens=3, funded=True, choice=-2).startswith("choice is -2")


def test_a_reason_is_one_of_the_library_s_own_and_a_charge_is_not_negative():
    row = {"query_id": "a", "tokens": 3, "funded": False}
    assert CapRow(**row, reason="too_dear", charge=0).reason == "too_dear"
    assert refused(CapRow, **row, reason="dear").startswith(
        "reason is 'dear'; allowed: funded, worthless, too_dear, "
    )
    assert refused(CapRow, **row, charge=-0.5).startswith("charge is -0.5; allowed: a finite number of budget units")
