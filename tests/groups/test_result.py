"""What each group got for what: reports by name, as plain numbers, and audited."""

from __future__ import annotations

import itertools
import json
from dataclasses import fields, replace

import pytest

import clear_alloc as ca
from clear_alloc.groups import GroupReport


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
    with pytest.raises(ca.InvalidArgument, match="group is 'nobody'; allowed: one of chat, search, night"):
        result["nobody"]


def test_the_audit_finds_every_false_report():
    curves = ca.ShiftedSurge([100, 150, 200, 250], 100, 0.9)
    teams = [ca.Group("search", budget=250), ca.Group("chat", guarantee=300), ca.Group("in", "chat", budget=310)]
    result = ca.allocate_groups(curves, 600, teams, ["search", "search", "in", "chat"])
    result.audit()
    altered = {"name": "other", "parent": "chat", "queries": 9, "funded": 9, "binding": None}
    for place, field in itertools.product(range(3), fields(GroupReport)):
        groups = list(result.groups)
        now = getattr(groups[place], field.name)
        false = altered[field.name] if field.name in altered else (now or 1.0) * (1 + 1e-6)
        groups[place] = replace(groups[place], **{field.name: "search" if false == now else false})
        with pytest.raises(ca.AuditFailed, match=f"{field.name} of {result.groups[place].name} is"):
            replace(result, groups=tuple(groups)).audit()
    with pytest.raises(ca.AuditFailed, match="one report per group"):
        replace(result, groups=result.groups[:2]).audit()
    moved = ["search", "search", "in", "chat"]
    moved[int(result.tokens[:2].argmax())] = "in"
    with pytest.raises(ca.AuditFailed):
        replace(result, group_of=tuple(moved)).audit()
    with pytest.raises(ca.AuditFailed):
        replace(result, allocation=replace(result.allocation, upper_bound=9.0)).audit()
