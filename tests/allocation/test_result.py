"""The result: what it holds, what follows from that, and the same as plain numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

import clear_alloc as ca

CURVES = ca.concatenate([ca.ShiftedSurge([100, 300, 40], 50, [0.5, 0.9, 0.3]),
                         ca.Menu([[30, 60, 61], [500]], [[0.2, 0.3, 0.3], [0.9]])])  # fmt: skip


NAMED = {"ids": list("abcde"), "min_tokens": [0, 0, 5, 0, 0], "max_tokens": 400}


def test_a_result_as_plain_numbers():
    result = ca.allocate(CURVES, 260, **NAMED)
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["tokens"] == result.tokens.tolist()
    assert plain["ids"] == list("abcde")
    assert plain["choice"] == result.choice.tolist()
    assert plain["funded"] == result.funded.tolist()
    assert plain["status"] == "cleared"
    assert plain["message"] == result.status.value
    assert plain["policy"] == "allocate"
    assert (plain["budget"], plain["spent"]) == (260, result.spent)
    assert (plain["price"], plain["utility"]) == (result.price, result.utility)
    assert (plain["upper_bound"], plain["gap"]) == (result.upper_bound, result.gap)
    assert ca.uniform(CURVES[:3], 60).to_dict()["price"] is None
    assert ca.uniform(CURVES[:3], 60).to_dict()["choice"] is None
    assert len(result) == 5
    assert "of 5 queries funded" in repr(result)


def test_fields_that_follow_from_others():
    result = ca.allocate(CURVES, 260, **NAMED)
    assert len(result) == 5
    assert result.ids == tuple("abcde")
    assert ca.allocate(CURVES, 260).ids is None
    assert result.gap == result.upper_bound - result.utility >= 0
    assert (result.accounting, result.unit, result.policy) == ("reserved", "token", "allocate")
    assert result.charges.tolist() == result.tokens.tolist()
    assert result.charges.sum() == result.spent
    money = ca.allocate(CURVES, 260 * 0.25, rate=0.25)
    assert (money.unit, money.spent) == ("unit", money.charges.sum())
    assert money.charges.tolist() == (0.25 * money.tokens).tolist()
    assert repr(money).count("units, price") == 1


def test_without_menus_there_is_no_choice_and_without_a_price_none_is_told():
    surges = CURVES[:3]
    assert ca.allocate(surges, 150).choice is None
    assert ca.allocate(CURVES, 150).choice.dtype == np.int64
    assert np.isnan(ca.uniform(surges, 150).price)
    assert "price nan" in repr(ca.uniform(surges, 150))
    priced = ca.allocate(surges, price=0.004)
    assert priced.budget == priced.spent
    assert (priced.price, priced.margin, priced.status) == (0.004, 0.0, ca.Status.PRICED)


def test_expected_charges_vary_and_reserved_ones_do_not():
    curves = ca.LognormalArrival([300.0, 700.0], 0.5, 0.9)
    expected = ca.allocate(curves, 1_500, accounting="expected", overrun=0.1)
    assert expected.accounting == "expected"
    np.testing.assert_allclose(expected.charges, curves.expected_cost(expected.tokens), rtol=1e-12)
    assert expected.spent == pytest.approx(expected.charges.sum())
    assert expected.deviation == pytest.approx(np.hypot(*curves.deviation(expected.tokens)))
    assert 0 < expected.margin <= expected.tokens.sum() - expected.spent
    reserved = ca.allocate(curves, 1_500)
    assert (reserved.deviation, reserved.margin) == (0.0, 0.0)


def test_a_result_cannot_be_changed():
    result = ca.allocate(CURVES, 260)
    with pytest.raises(AttributeError):
        result.price = 0.0
    assert not hasattr(result, "__dict__")
