"""What each group got for what: reports by name, as plain numbers, and audited."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import clear_alloc as ca


def test_reports_by_name_and_as_plain_numbers():
    curves = ca.ShiftedSurge([100, 150, 200, 250], 100, 0.9)
    teams = [ca.Group("chat", guarantee=300), ca.Group("search", budget=250), ca.Group("night", "search")]
    result = ca.allocate_groups(curves, 600, teams, ["search", "night", "chat", None], ids=list("wxyz"))
    assert [group.name for group in result.groups] == ["chat", "search", "night"]
    assert result.tokens.tolist() == result.allocation.tokens.tolist()
    assert (result["night"].parent, result["search"].queries, result["night"].queries) == ("search", 2, 1)
    assert (result["chat"].guarantee, result["chat"].alone) == (300, 0.9)
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["group_of"] == ["search", "night", "chat", None]
    assert plain["groups"][1]["binding"] == "budget"
    assert plain["groups"][1]["spent"] == result["search"].spent
    assert plain["tokens"] == result.tokens.tolist()
    assert "3 groups" in repr(result)
    assert len(result.allocation.reasons) == 4
    with pytest.raises(KeyError, match="nobody"):
        result["nobody"]


def test_the_audit_finds_every_false_report():
    curves = ca.ShiftedSurge([100, 150, 200, 250], 100, 0.9)
    teams = [ca.Group("search", budget=250), ca.Group("chat", guarantee=300), ca.Group("in", "chat", budget=310)]
    result = ca.allocate_groups(curves, 600, teams, ["search", "search", "in", "chat"])
    result.audit()
    spent = result["search"].spent  # 200 or 250: either of its queries is worth the same
    false = [
        (0, {"spent": spent - 1.0}, "spent what"), (0, {"budget": spent - 1.0}, "stays within"),
        (0, {"margin": 251.0 - spent}, "stays within"), (1, {"alone": 0.91}, "guarantee alone"),
        (2, {"spent": 0.0}, "spent what"), (1, {"budget": 200.0}, "stays within"),
    ]  # fmt: skip
    for place, change, promise in false:
        groups = list(result.groups)
        groups[place] = replace(groups[place], **change)
        with pytest.raises(ca.AuditFailed, match=promise):
            replace(result, groups=tuple(groups)).audit()
    moved = ["search", "search", "in", "chat"]
    moved[int(result.tokens[:2].argmax())] = "in"
    with pytest.raises(ca.AuditFailed):
        replace(result, group_of=tuple(moved)).audit()
    with pytest.raises(ca.AuditFailed):
        replace(result, allocation=replace(result.allocation, upper_bound=9.0)).audit()


def test_queries_count_for_every_group_around_them():
    curves = ca.ShiftedSurge([0.0] * 6, 100, 0.5)
    chain = [ca.Group("out"), ca.Group("mid", "out"), ca.Group("in", "mid")]
    result = ca.allocate_groups(curves, 300, chain, ["in", "in", "mid", "out", None, None])
    result.audit()
    assert [result[name].queries for name in ("out", "mid", "in")] == [4, 3, 2]
    for name, rows in (("out", slice(0, 4)), ("mid", slice(0, 3)), ("in", slice(0, 2))):
        assert result[name].spent == result.tokens[rows].sum()
        assert result[name].utility == pytest.approx(curves.utility(result.tokens.astype(float))[rows].sum())
