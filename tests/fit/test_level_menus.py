"""Several levels of the same queries as menus."""

from __future__ import annotations

import numpy as np
import pytest

import clear_alloc as ca


def rollouts(queries, typical, chance, seed):
    rng = np.random.default_rng(seed)
    ids = np.repeat(queries, 30)
    tokens = np.ceil(typical * np.exp(0.3 * rng.normal(size=len(ids))))
    return {"query_id": ids, "tokens": tokens, "correct": (rng.random(len(ids)) < chance).astype(int)}


QUERIES = ["a", "b", "c"]
LOW = ca.fit(rollouts(QUERIES, 100, 0.4, 1))
HIGH = ca.fit(rollouts(QUERIES[::-1], 1000, 0.9, 2))


def test_an_option_is_worth_what_its_level_is_and_costs_its_mean_length():
    menu = ca.menu_of_levels({"low": LOW, "high": HIGH})
    assert (menu.ids, menu.names) == (QUERIES, ("low", "high"))
    for query in range(3):
        low, high = LOW.curves[query], HIGH.curves[HIGH.ids.index(QUERIES[query])]
        chances = [low.solvability[0], high.solvability[0]]
        np.testing.assert_allclose(menu.curves.values[query], chances, rtol=1e-8)
        means = [c.median[0] * np.exp(c.spread[0] ** 2 / 2) for c in (low, high)]
        np.testing.assert_allclose(menu.curves.costs[query], means, rtol=1e-6)
        spreads = [m * np.sqrt(np.expm1(c.spread[0] ** 2)) for m, c in zip(means, (low, high), strict=True)]
        np.testing.assert_allclose(menu.curves.sorted_deviation[query], spreads, rtol=1e-4)
    result = ca.allocate(menu.curves, 1500, accounting="expected", overrun=0.5, ids=menu.ids)
    result.audit()
    assert sorted(result.choice.tolist()) == [0, 0, 1]
    assert result.spent == pytest.approx(menu.curves.sorted_costs[np.arange(3), result.choice].sum())


def test_with_caps_an_option_is_charged_its_cap_or_what_it_should_burn():
    menu = ca.menu_of_levels({"low": LOW, "high": HIGH}, caps={"low": 90, "high": [800.5, 900, 1000]})
    assert menu.curves.costs[0].tolist() == [90, 801]
    assert menu.curves.values[0][0] == pytest.approx(LOW.curves.utility(90)[0])
    assert menu.curves.sorted_expected[0][0] == pytest.approx(LOW.curves.expected_cost(90)[0])
    assert (menu.curves.sorted_expected < menu.curves.sorted_costs).all()


def test_the_weight_is_that_of_the_queries():
    heavy = ca.fit(rollouts(QUERIES, 100, 0.4, 1), weight=[3, 0, 1])
    menu = ca.menu_of_levels({"low": heavy, "high": HIGH})
    assert menu.curves.weight.tolist() == [3, 0, 1]
    assert menu.curves.values[0][0] == pytest.approx(heavy.curves.solvability[0], rel=1e-8)
    assert menu.curves.utility([1e6, 1e6, 1e6])[1] == 0


def test_levels_that_do_not_belong_together_are_refused_by_name():
    other = ca.fit(rollouts(["a", "b", "d"], 100, 0.4, 1))
    more = ca.fit(rollouts([*QUERIES, "d"], 100, 0.4, 1))
    for odd, found in ((other, "without 'c'"), (more, "4 queries")):
        with pytest.raises(ca.InvalidArgument, match=rf"levels\['high'\] is .*{found}.*; allowed: the 3 queries"):
            ca.menu_of_levels({"low": LOW, "high": odd})
    with pytest.raises(ca.InvalidArgument, match="levels is 'empty'"):
        ca.menu_of_levels({})
    with pytest.raises(ca.InvalidArgument, match="caps is 'high'; allowed: one cap for each of low"):
        ca.menu_of_levels({"low": LOW}, caps={"low": 90, "high": 80})
    with pytest.raises(ca.InvalidArgument, match=r"caps\['low'\] is 'of length 2'; allowed: length 3"):
        ca.menu_of_levels({"low": LOW}, caps={"low": [90, 80]})
    with pytest.raises(ca.InvalidArgument, match=r"caps\['low'\]\[0\] is 0"):
        ca.menu_of_levels({"low": LOW}, caps={"low": 0})
    with pytest.raises(ca.NotSupported, match="'shifted_surge'"):
        ca.menu_of_levels({"low": ca.fit(rollouts(QUERIES, 100, 0.4, 1), family="shifted_surge")})
