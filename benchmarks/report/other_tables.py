"""Sections of tables over policies: noise, peers, all policies at one budget, replayed rollouts."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.captured_gain import LEAST
from benchmarks.common.markdown import ABSENT, listed, one_line, percent, points, table
from benchmarks.report.ablation import nearest
from benchmarks.report.compared import Meeting, ahead, meetings
from benchmarks.report.gains import stream_gains
from benchmarks.report.noise import errors, kept
from benchmarks.report.results import AMPLE, BEST, EXPECTED, OURS, UNIFORMS, Place, Results, budget_of

HELPED = 1.1  # of the accuracy without error: more is worth a remark
_REPLAYED = ("CLEAR", "best value first", OURS, BEST, EXPECTED)  # of each configuration, where there are many
_PEERS = ("greedy marginal", "best value first", "SLSQP", "price-contour")


def noisy(results: Results) -> dict[str, Any]:
    """Share of the accuracy kept under wrong predictions, and where uniform then is as good."""
    wrong = errors(results)
    shares = {
        policy: [kept(results, policy, error) for error in wrong]
        for policy in results.policies("noise")
        if policy != "uniform"
    }
    rows = [[policy, *(percent(share, 0) for share in kept_of)] for policy, kept_of in shares.items()]
    found = meetings(results, results.places("noise", noise=None), OURS, UNIFORMS["reserved"])
    return {
        "table": table(("policy", *map(_error, wrong)), rows) if rows else "",
        "settings": len(found),
        "level": _errors_by_place([meeting.place for meeting in found if not ahead(meeting.pair)]),
        "budgets": listed(budget_of("noise", level) for level in results.levels("noise")),
        "helped": listed(policy for policy, kept_of in shares.items() if max(kept_of) > HELPED),
    }


def _error(share: float) -> str:
    return f"{100.0 * share:.0f} %"


def _errors_by_place(places: list[Place]) -> str:
    grouped: dict[str, list[str]] = {}
    for place in places:
        grouped.setdefault(f"{place.stream} at {budget_of('noise', place.level)}", []).append(_error(place.noise))
    return "; ".join(f"{name}, errors of {listed(errors_of)}" for name, errors_of in grouped.items())


def peers(results: Results) -> dict[str, Any]:
    """Every policy of the experiment on the same curves."""
    places, policies = results.places("peers"), results.policies("peers")
    rows = [
        [
            place.stream,
            budget_of("peers", place.level),
            *(percent(results.mean(place, policy)) for policy in policies),
        ]
        for place in places
    ]
    queries = sorted({row.queries for row in results.rows if row.experiment == "peers"})
    better = [
        f"{policy} on {_gap_words(meeting)}"
        for policy in _PEERS
        for meeting in meetings(results, places, policy, OURS)
        if meeting.pair.difference > 0.0
    ]
    return {
        "table": table(("stream", "budget", *policies), rows) if rows else "",
        "queries": listed(map(str, queries)),
        "seeds": results.seeds("peers"),
        "absent": listed(name for name in _PEERS if name not in policies),
        "better": listed(better),
    }


def all_policies(results: Results) -> dict[str, Any]:
    """Accuracy of every policy on every stream at the level nearest to a tenth."""
    streams, levels = results.streams("scarcity"), results.levels("scarcity")
    if not levels:
        return {"table": ""}
    level = nearest(levels, 0.1)
    rows = [
        [policy, *(percent(results.mean(Place("scarcity", stream, level), policy)) for stream in streams)]
        for policy in results.policies("scarcity")
    ]
    return {"table": table(("policy", *streams), rows), "budget": budget_of("scarcity", level)}


def replayed(results: Results) -> dict[str, Any]:
    """Captured gain on real rollouts by policy, and by configuration where there is more than one."""
    gains, configurations = stream_gains(results, "replay"), results.streams("replay")
    shown = [policy for policy in _REPLAYED if policy in gains]
    each = [
        [one_line(name), *(f"{gains[policy][name]:.2f}" if name in gains[policy] else ABSENT for policy in shown)]
        for name in configurations
    ]
    return {
        "table": _gain_table(gains, len(configurations)) if gains else "",
        "each": table(("configuration", *shown), each) if len(configurations) > 1 and shown else "",
        "configurations": listed(map(one_line, configurations))
        if len(configurations) <= 3
        else str(len(configurations)),
        "below": _below(results),
        "halves": results.seeds("replay"),
        "ample": budget_of("replay", AMPLE),
        "least": f"{100.0 * LEAST:g}",
    }


def _gain_table(gains: dict[str, dict[str, float]], configurations: int) -> str:
    if configurations == 1:
        rows = [[policy, f"{gain:.2f}"] for policy, by_name in gains.items() for gain in by_name.values()]
        return table(("policy", "captured gain"), rows)
    rows = []
    for policy, by_name in gains.items():
        every = np.array(list(by_name.values()))
        figures = (f"{value:.2f}" for value in (every.mean(), np.median(every), every.min(), every.max()))
        rows.append([policy, str(len(every)), *figures])
    return table(("policy", "configurations", "mean", "median", "lowest", "highest"), rows)


def _below(results: Results) -> str:
    """Settings in which ours, chosen is below uniform on average over the halves."""
    found = meetings(results, results.places("replay"), BEST, UNIFORMS["reserved"])
    return listed(_gap_words(meeting) for meeting in found if meeting.pair.difference < 0.0)


def _gap_words(meeting: Meeting) -> str:
    budget = budget_of(meeting.place.experiment, meeting.place.level)
    return f"{meeting.place.stream} at {budget} ({points(meeting.pair.difference)})"
