"""The terms of a budget: declared once, joined with those that queries have of their own."""

from __future__ import annotations

import inspect
from dataclasses import fields

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc.market.terms import AllocateKwargs, AllocateOptions, Merge, help_of


def test_floors_rise_ceilings_fall_and_the_rest_is_given_once():
    terms = AllocateOptions(min_tokens=[10, 20, 30], max_tokens=100)
    own = {
        "min_tokens": [15, None, 5],
        "max_tokens": [None, 90, 400],
        "rate": [1, 2, 3],
        "levels": [None, [0, 8], None],
    }
    merged = terms.merged(own, 3)
    assert merged.min_tokens.tolist() == [15, 20, 30]
    assert merged.max_tokens.tolist() == [100, 90, 100]
    assert merged.rate == [1, 2, 3]
    assert merged.levels == [None, [0, 8], None]
    assert (merged.accounting, merged.overrun, merged.call) == ("reserved", 0.05, None)
    assert terms.max_tokens == 100  # the terms themselves stay as they were


def test_columns_mark_what_is_missing_by_nan():
    merged = AllocateOptions(fallback=5).merged({"fallback": np.array([np.nan, 9.0]), "rate": np.full(2, np.nan)}, 2)
    assert merged.fallback.tolist() == [5, 9]
    assert merged.rate is None
    same = AllocateOptions(rate=2.0)
    assert same.merged({"rate": [None, None], "min_tokens": None}, 2) == same


@pytest.mark.parametrize("name", ["rate", "call"])
def test_a_price_is_given_for_all_or_by_all(name):
    with pytest.raises(ca.InvalidArgument, match=rf"{name} is 'given for all, and by queries of their own'"):
        AllocateOptions(**{name: 1.0}).merged({name: [1.0, 2.0]}, 2)
    with pytest.raises(ca.InvalidArgument) as caught:
        AllocateOptions().merged({name: [1.0, None]}, 2)
    assert (caught.value.argument, caught.value.row) == (name, 1)


@pytest.mark.parametrize("name", ["accounting", "overrun", "ids"])
def test_what_is_for_all_queries_only_is_not_theirs_to_change(name):
    terms = AllocateOptions()
    assert terms.merged({name: ["expected", "expected"]}, 2) == terms


def test_every_term_has_a_default_a_help_and_a_rule():
    call = inspect.signature(ca.allocate).parameters
    for term in fields(AllocateOptions):
        assert call[term.name].default == term.default
        assert help_of(term.name).startswith(term.metadata["help"])
        assert isinstance(term.metadata["merge"], Merge)
    assert "the higher of the two holds" in help_of("min_tokens")
    assert "the lower of the two holds" in help_of("max_tokens")
    assert set(AllocateKwargs.__annotations__) == {term.name for term in fields(AllocateOptions)}


def test_queries_bring_their_own_terms():
    """Levels, prices, fallbacks and expected costs on some of the objects, as on the arguments."""
    menus = [
        ca.Query(
            id="a", family="menu", costs=[200, 900], values=[0.3, 0.9], rate=1, expected=[100, 300], fallback=250
        ),
        ca.Query(id="b", family="menu", costs=[700], values=[0.8], rate=2),
        ca.Query(id="c", family="lognormal", median=300, spread=0.5, solvability=0.9, rate=1, levels=[0, 256, 1024]),
    ]
    expected, deviation = [[100, 300], [700]], [[0, 0], [0]]
    curves = ca.concatenate(
        [
            ca.Menu([[200, 900], [700]], [[0.3, 0.9], [0.8]], expected=expected, deviation=deviation),
            ca.LognormalArrival(300, 0.5, 0.9),
        ]
    )
    terms = {"rate": [1, 2, 1], "fallback": [250, 0, 0], "levels": [None, None, [0, 256, 1024]]}
    for budget in (250, 450, 700, 1900, 2500):
        for how in ({}, {"accounting": "expected", "overrun": 0.5}):
            one, other = ca.allocate(menus, budget, **how), ca.allocate(curves, budget, **how, **terms)
            one.audit()
            assert one.tokens.tolist() == other.tokens.tolist()
            assert (one.spent, one.utility) == (other.spent, other.utility)
            assert one.tokens[0] in (200, 900)
    with pytest.raises(ca.InvalidArgument, match=r"levels is 'given for all, and by queries of their own'"):
        ca.allocate(menus, 2500, levels={0, 512})
    with pytest.raises(ca.InvalidArgument, match=r"rate\[0\] is None; allowed: a price, as other queries have"):
        ca.allocate([ca.Query(id="d", family="menu", costs=[5], values=[0.1]), *menus], 2500)


@pytest.mark.parametrize("policy", [ca.allocate, ca.exact, ca.uniform], ids=lambda policy: policy.__name__)
def test_records_bring_their_own_names_floors_and_ceilings(policy):
    """What a record says and what the call says both hold: the higher floor, the lower ceiling."""
    shape = {"family": "shifted_surge", "threshold": 100, "width": 50, "peak": 0.5}
    rows = [
        ca.Query(id="a", **shape),
        ca.Query(id="b", min_tokens=40, **shape),
        ca.Query(id="c", max_tokens=120, **shape),
        ca.Query(id="d", family="menu", costs=[10, 60], values=[0.1, 0.2], max_tokens=30),
    ]
    result = policy(rows, 1000)
    result.audit()
    assert result.ids == tuple("abcd")
    assert result.tokens.tolist() == [150, 150, 120, 10]
    assert policy(rows, 1000, max_tokens=[149, 149, 149, 5]).tokens.tolist() == [149, 149, 120, 0]
    assert policy(rows, 50).tokens[1] >= 40
    assert policy(rows, 200, min_tokens=[0, 20, 90, 0]).tokens.tolist()[1:3] >= [40, 90]
    assert policy(rows, 1000, ids=[1, 2, 3, 4]).ids == (1, 2, 3, 4)
    with pytest.raises(ca.BudgetTooSmall):
        policy(rows, 39)
