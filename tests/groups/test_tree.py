"""What bad groups get: an error that names the group and says what to do; odd groups get a sensible result."""

from __future__ import annotations

import numpy as np
import pytest

import clear_alloc as ca

CURVES = ca.ShiftedSurge([100, 150, 200, 250], 100, 0.9)
NAMES = ["a", "a", "b", None]


def refused(groups, names=NAMES, budget=1000, error=ca.InvalidArgument, curves=CURVES, **terms):
    with pytest.raises(error) as caught:
        ca.allocate_groups(curves, budget, groups, names, **terms)
    return str(caught.value)


@pytest.mark.parametrize(
    ("parents", "loop"),
    [
        ({"a": "a", "b": None}, "a in a"),
        ({"a": "b", "b": "a"}, "a in b in a"),
        ({"a": "b", "b": "c", "c": "a"}, "a in b in c in a"),
        ({"b": None, "d": "c", "c": "a", "a": "c"}, "c in a in c"),
    ],
)
def test_a_cycle_is_shown(parents, loop):
    message = refused([ca.Group(name, parent) for name, parent in parents.items()])
    assert loop in message
    assert "another parent" in message


def test_an_unknown_parent_is_named_with_its_child():
    message = refused([ca.Group("a", "nowhere"), ca.Group("b")])
    assert "'nowhere'" in message
    assert "parent of 'a'" in message
    assert "a, b" in message


def test_an_unknown_group_of_a_query_is_named_with_its_row():
    message = refused([ca.Group("a")])
    assert "group_of[2] is 'b'" in message
    assert "add the group" in message
    assert "group_of[0]" in refused([])


@pytest.mark.parametrize("both", [["a", "b"], ("a", "b"), {"a"}, 3, b"a"])
def test_a_query_in_two_groups_is_refused(both):
    message = refused([ca.Group("a"), ca.Group("b")], ["a", both, "b", None])
    assert "group_of[1]" in message
    assert "innermost" in message


def test_a_group_listed_twice_is_refused():
    message = refused([ca.Group("a"), ca.Group("b"), ca.Group("a", "b")])
    assert "groups[2] is 'a'" in message
    assert "unique" in message


@pytest.mark.parametrize("value", [-1, -1e-9, np.nan, np.inf, True, "100", [100]])
@pytest.mark.parametrize("argument", ["budget", "guarantee"])
def test_amounts_must_be_finite_and_not_negative(argument, value):
    message = refused([ca.Group("b"), ca.Group("a", **{argument: value})])
    assert "groups[1]" in message
    assert f"{argument} of 'a' finite and >= 0" in message


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, True, False, None, "0.5"])
def test_shares_must_lie_between_0_and_1(value):
    message = refused([ca.Group("b"), ca.Group("a", min_funded=value)])
    assert "groups[1]" in message
    assert "min_funded of 'a'" in message


@pytest.mark.parametrize("group", ["a", ("a", None), ca.Group(""), ca.Group(None), ca.Group(3), None])
def test_what_is_no_group_is_refused(group):
    assert "groups[1]" in refused([ca.Group("b"), group])


@pytest.mark.parametrize("parent", [3, ["b"], {"b"}])
def test_a_parent_that_is_no_name_is_refused(parent):
    assert "'a'" in refused([ca.Group("a", parent), ca.Group("b")])


@pytest.mark.parametrize("groups", [None, "ab", 3])
def test_groups_must_be_a_list(groups):
    assert "groups" in refused(groups)


@pytest.mark.parametrize("names", ["abab", 3, b"abcd"])
def test_group_of_must_be_a_list(names):
    assert "group_of" in refused([ca.Group("a"), ca.Group("b")], names)


def test_a_single_group_counts_as_a_list_of_one_or_is_refused_by_name():
    assert "groups" in refused(ca.Group("a"))


def test_a_guarantee_above_the_groups_own_budget_is_refused():
    message = refused([ca.Group("b"), ca.Group("a", budget=100, guarantee=101)])
    assert "groups[1] is 101" in message
    assert "budget of 'a', 100" in message


def test_guarantees_that_do_not_fit_the_budget_around_them_are_refused():
    both = [ca.Group("a", None, None, 600), ca.Group("b", None, None, 401)]
    message = refused(both, error=ca.BudgetTooSmall)
    assert "1,001" in message
    assert "1,000" in message
    assert "guarantee" in message
    ca.allocate_groups(CURVES, 1001, both, NAMES).audit()
    inside = [ca.Group("p", None, 1000), ca.Group("a", "p", None, 600), ca.Group("b", "p", None, 401)]
    message = refused(inside, budget=2000, error=ca.BudgetTooSmall)
    assert "'p'" in message
    assert "1,001" in message
    deep = [ca.Group("p", None, 500), ca.Group("q", "p"), ca.Group("a", "q", None, 501), ca.Group("b")]
    assert "'p'" in refused(deep, budget=2000, error=ca.BudgetTooSmall)


def test_floors_above_a_groups_budget_are_refused():
    groups = [ca.Group("a", budget=250), ca.Group("b")]
    message = refused(groups, error=ca.BudgetTooSmall, min_tokens=[126, 125, 0, 0])
    assert "min_tokens in group 'a' sum to 251" in message
    assert "250" in message
    assert ca.allocate_groups(CURVES, 1000, groups, NAMES, min_tokens=[125, 125, 0, 0])["a"].spent == 250
    with pytest.raises(ca.BudgetTooSmall):
        ca.allocate_groups(CURVES, 100, groups, NAMES, min_tokens=[125, 125, 0, 0])
    mixed = [ca.Group("a", None, 300), ca.Group("x", "a", None, 200), ca.Group("b")]
    message = refused(mixed, error=ca.BudgetTooSmall, min_tokens=[120, 0, 0, 0])
    assert "guarantees and min_tokens in group 'a'" in message
    assert "320" in message


def test_amounts_in_money_are_shown_in_money():
    groups = [ca.Group("a", None, 0.2), ca.Group("b")]
    message = refused(groups, budget=2.0, error=ca.BudgetTooSmall, rate=0.001, min_tokens=[120, 120, 0, 0])
    assert "sum to 0.24" in message
    assert "0.2" in message


def test_the_number_of_names_must_match():
    for names in ([], ["a"], ["a"] * 5):
        message = refused([ca.Group("a")], names)
        assert f"of length {len(names)}" in message
        assert "length 4" in message


def test_names_are_needed_where_curves_carry_none():
    message = refused([ca.Group("a")], None)
    assert "group_of" in message
    assert "None" in message


def test_queries_carry_their_group():
    rows = [
        {"id": str(k), "family": "shifted_surge", "threshold": 100 + 50 * k, "width": 100, "peak": 0.9}
        for k in range(4)
    ]
    queries = [
        ca.Query(**row, **({} if name is None else {"group": name})) for row, name in zip(rows, NAMES, strict=True)
    ]
    groups = [ca.Group("a", budget=210), ca.Group("b")]
    result = ca.allocate_groups(queries, 600, groups)
    assert result.group_of == tuple(NAMES)
    assert result.tokens.tolist() == ca.allocate_groups(CURVES, 600, groups, NAMES).tokens.tolist()
    over = ca.allocate_groups(queries, 600, groups, ["b"] * 4)
    assert over.group_of == ("b",) * 4
    assert ca.allocate_groups(CURVES, 600, groups, np.array(NAMES, dtype=object)).group_of == tuple(NAMES)
    assert ca.allocate_groups(CURVES, 600, groups, np.array(["a", "a", "b", "b"])).group_of == ("a", "a", "b", "b")


def test_odd_but_sensible_groups():
    none = ca.allocate_groups(CURVES, 600, [], [None] * 4)
    none.audit()
    assert none.tokens.tolist() == ca.allocate(CURVES, 600).tokens.tolist()
    empty = ca.allocate_groups(CURVES, 600, [ca.Group("idle", None, 500, 300), ca.Group("in", "idle", 0)], [None] * 4)
    empty.audit()
    assert empty.tokens.tolist() == none.tokens.tolist()
    assert (empty["idle"].spent, empty["idle"].queries, empty["idle"].price) == (0, 0, 0)
    nobody = ca.allocate_groups(CURVES[:0], 600, [ca.Group("a", None, 5, 5, 0.5)], [])
    nobody.audit()
    assert len(nobody.tokens) == 0
    assert nobody.allocation.utility == 0
    poor = ca.allocate_groups(CURVES, 0, [ca.Group("a", None, 5), ca.Group("b")], NAMES)
    poor.audit()
    assert poor.tokens.tolist() == [0] * 4
    shut = ca.allocate_groups(CURVES, 2000, [ca.Group("a", None, 0), ca.Group("b")], NAMES)
    shut.audit()
    assert shut.tokens.tolist() == [0, 0, 300, 350]
    assert shut.allocation.price == 0
    rounded = ca.allocate_groups(CURVES, 600.9, [ca.Group("a", None, 200.9), ca.Group("b")], NAMES)
    rounded.audit()
    assert rounded["a"].spent <= 200
    assert rounded["a"].budget == 200.9


def test_amounts_may_be_numpy_numbers():
    groups = [
        ca.Group("a", None, np.int64(250), np.float64(100)),
        ca.Group("b", None, np.float32(300), np.int32(0), np.float64(0)),
    ]
    result = ca.allocate_groups(CURVES, np.int64(600), groups, NAMES)
    result.audit()
    plain = [ca.Group("a", None, 250, 100), ca.Group("b", None, 300)]
    assert result.tokens.tolist() == ca.allocate_groups(CURVES, 600, plain, NAMES).tokens.tolist()


def test_children_may_be_listed_before_their_parents():
    groups = [ca.Group("a", "p", 210), ca.Group("b", "q"), ca.Group("q", "p"), ca.Group("p", None, 500)]
    result = ca.allocate_groups(CURVES, 1000, groups, NAMES)
    result.audit()
    assert [group.name for group in result.groups].index("p") == 0
    assert result["p"].spent == result["a"].spent + result["q"].spent <= 500
    assert result["q"].spent == result["b"].spent


@pytest.mark.slow
def test_a_long_chain_of_groups_is_no_problem():
    groups = [ca.Group("g0")] + [
        ca.Group(f"g{k}", f"g{k - 1}", 400 - k if k % 50 == 0 else None) for k in range(1, 200)
    ]
    result = ca.allocate_groups(CURVES, 1000, groups, ["g199"] * 4)
    result.audit()
    assert result["g199"].spent <= 250


def test_the_bad_terms_of_allocate_are_refused_as_there():
    for terms in ({"min_tokens": -1}, {"levels": {-1}}, {"ids": ["x"]}, {"rate": 0}):
        with pytest.raises(ca.InvalidArgument):
            ca.allocate_groups(CURVES, 1000, [ca.Group("a"), ca.Group("b")], NAMES, **terms)
    for budget in (-1, np.nan, np.inf, True, None, "x"):
        with pytest.raises(ca.InvalidArgument):
            ca.allocate_groups(CURVES, budget, [ca.Group("a"), ca.Group("b")], NAMES)


def test_what_does_not_fit_is_said_in_the_unit_of_the_budget():
    curves = ca.ShiftedSurge([100.0, 150.0], 100, 0.9)
    with pytest.raises(ca.BudgetTooSmall, match=r"in group 'a' sum to 0\.4 budget units but the budget is 0\.3"):
        ca.allocate_groups(curves, 1.0, [ca.Group("a", budget=0.3)], ["a", None], rate=0.004, min_tokens=[100, 0])
