"""What each group got, for what: counted for every group around a query."""

from __future__ import annotations

from dataclasses import replace

import pytest

import clear_alloc as ca


def test_a_report_is_the_sum_over_the_group_s_own_queries():
    curves = ca.ShiftedSurge([100, 150, 200, 250], 100, 0.9)
    teams = [ca.Group("chat", guarantee=300), ca.Group("search", budget=250), ca.Group("night", "search")]
    result = ca.allocate_groups(curves, 0.6, teams_in_money(teams), ["search", "night", "chat", None], rate=0.001)
    result.audit()
    charges = 0.001 * result.tokens
    worth = curves.utility(result.tokens.astype(float))
    for name, rows in (("chat", [2]), ("search", [0, 1]), ("night", [1])):
        report = result[name]
        assert report.spent == pytest.approx(charges[rows].sum())
        assert report.utility == pytest.approx(worth[rows].sum())
        assert (report.queries, report.funded) == (len(rows), int((result.tokens[rows] > 0).sum()))
        around = result.allocation.price if report.parent is None else result[report.parent].marginal
        assert report.price - report.guarantee_price == pytest.approx(report.marginal - around)
        assert min(report.price, report.guarantee_price) == 0.0
        assert report.margin == 0.0


def teams_in_money(teams):
    return [
        replace(team, budget=None if team.budget is None else 0.001 * team.budget, guarantee=0.001 * team.guarantee)
        for team in teams
    ]


def test_queries_count_for_every_group_around_them():
    curves = ca.ShiftedSurge([0.0] * 6, 100, 0.5)
    chain = [ca.Group("out"), ca.Group("mid", "out"), ca.Group("in", "mid")]
    result = ca.allocate_groups(curves, 300, chain, ["in", "in", "mid", "out", None, None])
    result.audit()
    assert [result[name].queries for name in ("out", "mid", "in")] == [4, 3, 2]
    for name, rows in (("out", slice(0, 4)), ("mid", slice(0, 3)), ("in", slice(0, 2))):
        assert result[name].spent == result.tokens[rows].sum()
        assert result[name].utility == pytest.approx(curves.utility(result.tokens.astype(float))[rows].sum())
