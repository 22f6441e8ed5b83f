"""Sections in which one policy meets another: scarce budgets, uniform, the literal CLEAR, budgets overdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks import paper
from benchmarks.common.markdown import ABSENT, listed, percent, points, table, times
from benchmarks.report.compared import (
    HAIR,
    Meeting,
    ahead,
    behind,
    interval,
    meetings,
    overdrawn,
    overdrawn_by_stream,
    used,
    worst,
)
from benchmarks.report.results import (
    BEST,
    CLEAR,
    EXPECTED,
    ORACLES,
    OURS,
    SCARCE,
    UNIFORMS,
    Place,
    Results,
    budget_of,
)
from benchmarks.summary import paired

AGAINST_UNIFORM = ((BEST, UNIFORMS["reserved"]), (OURS, UNIFORMS["reserved"]), (EXPECTED, UNIFORMS["expected"]))
AGAINST_CLEAR = tuple(
    (BEST, other)
    for other in (CLEAR, "CLEAR, hump as marginal", "CLEAR, paper's fit", "CLEAR, best width in hindsight")
)
WANTED = 3.0  # times uniform, where tokens are scarce: the paper's claim
OVERRUN = 0.05  # share of batches that `ca.allocate` lets overdraw unless told otherwise
TOLERATED = -0.005  # half a point


class Verdict(NamedTuple):
    """One pair over all settings. below : whether any difference is under TOLERATED. worst : of all, in words."""

    first: str
    second: str
    settings: int
    ahead: int
    behind: int
    below: bool
    worst: str


def scarce(results: Results) -> dict[str, Any]:
    """The paper's streams at budgets of at most SCARCE."""
    places = [p for p in results.places("scarcity") if p.level <= SCARCE and p.stream in paper.STREAMS]
    rows, least, boundless = [], {}, []
    for place in places:
        ours, uniform = results.at(place, BEST), results.at(place, "uniform")
        pair = paired(ours, uniform) if ours.keys() & uniform.keys() else None
        if pair is not None:
            least[_named(place)] = pair.least
            boundless += [_named(place)] if np.isinf(pair.ratio) else []
        means = [
            percent(results.mean(place, name)) for name in ("uniform", CLEAR, BEST, EXPECTED, ORACLES["reserved"])
        ]
        ratio = (times(pair.ratio), times(pair.least)) if pair else (ABSENT, ABSENT)
        rows.append([place.stream, budget_of("scarcity", place.level), _tokens(results, place), *means, *ratio])
    head = ("stream", "budget", "tokens per query", "uniform", CLEAR, BEST, EXPECTED, "oracle", "ratio", "at least")
    known = {name: value for name, value in least.items() if not np.isnan(value)}
    return {
        "table": table(head, rows) if rows else "",
        "count": len(least),
        "known": len(known),
        "lowest": times(min(known.values(), default=np.nan)),
        "wanted": f"{WANTED:g}",
        "most": budget_of("scarcity", SCARCE),
        "not_above": listed(f"{name} ({times(value)})" for name, value in known.items() if not value > WANTED),
        "boundless": listed(boundless),
    }


def _tokens(results: Results, place: Place) -> str:
    rows = [row for name in ("uniform", BEST, OURS) for row in results.at(place, name).values()]
    return f"{np.mean([row.budget / row.queries for row in rows]):,.0f}" if rows else ABSENT


def _named(place: Place) -> str:
    return f"{place.stream} at {budget_of(place.experiment, place.level)}"


def comparison(results: Results, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Each pair over every stream and budget of two experiments, and the settings where one isn't ahead."""
    places = results.places("scarcity", "paper")
    met = {pair: {meeting.place: meeting for meeting in meetings(results, places, *pair)} for pair in pairs}
    met = {pair: found for pair, found in met.items() if found}
    lagging = [p for p in places if any(p in found and not ahead(found[p].pair) for found in met.values())]
    head = ["stream", "budget", *(f"{first} - {second}" for first, second in met)]
    rows = [
        [place.stream, budget_of(place.experiment, place.level), *(_cell(found.get(place)) for found in met.values())]
        for place in lagging
    ]
    verdicts = [_verdict(*pair, list(found.values())) for pair, found in met.items()]
    return {
        "verdicts": verdicts,
        "summary": _summary(verdicts),
        "gaps": any(ABSENT in row for row in rows),
        "tolerated": f"{-100.0 * TOLERATED:g}",
        "lagging": table(head, rows) if rows else "",
        "count": len(rows),
    }


def _cell(meeting: Meeting | None) -> str:
    if meeting is None:
        return ABSENT
    text = interval(meeting.pair)
    return text if ahead(meeting.pair) else f"**{text}**"


def _verdict(first: str, second: str, found: list[Meeting]) -> Verdict:
    lowest = worst(found)
    return Verdict(
        first,
        second,
        len(found),
        sum(ahead(meeting.pair) for meeting in found),
        sum(behind(meeting.pair) for meeting in found),
        lowest is not None and lowest.pair.difference < TOLERATED,
        f"{interval(lowest.pair)}, {_named(lowest.place)}" if lowest else ABSENT,
    )


def _summary(verdicts: list[Verdict]) -> str:
    rows = []
    for verdict in verdicts:
        counts = (verdict.settings, verdict.ahead, verdict.settings - verdict.ahead - verdict.behind, verdict.behind)
        rows.append([f"{verdict.first} against {verdict.second}", *map(str, counts), verdict.worst])
    head = ("pair", "settings", "ahead", "level", "behind", "worst difference, points")
    return table(head, rows, prose=True) if rows else ""


def bought(results: Results) -> dict[str, Any]:
    """Settings in which ours, expected is ahead of its uniform, and those of them where it burned too much."""
    places = results.places("scarcity", "paper")
    met = meetings(results, places, EXPECTED, UNIFORMS["expected"])
    leading = [meeting.place for meeting in met if ahead(meeting.pair)]
    shares = [float(np.mean([used(row) for row in results.at(place, EXPECTED).values()])) for place in leading]
    return {"ahead": len(leading), "over": sum(share > 1.0 + HAIR for share in shares)}


def spent_on(results: Results) -> str:
    """What the experiment about spending covers, in words."""
    streams, levels = results.streams("spending"), results.levels("spending")
    return f"{len(streams)} streams, budgets of {listed(budget_of('spending', level) for level in levels)}"


def spending(results: Results) -> str:
    """Of the experiment that asks how budgets are kept: accuracy and use by policy, means over all of it."""
    places = results.places("spending")
    rows = []
    for policy in results.policies("spending"):
        batches = [row for place in places for row in results.at(place, policy).values()]
        shares = np.array([used(row) for row in batches])
        if batches:
            right = percent(float(np.mean([row.accuracy for row in batches])))
            over = float((shares > 1.0 + HAIR).mean())
            rows.append([policy, right, percent(float(shares.mean())), percent(over)])
    head = ("policy", "accuracy, %", "burned, % of the budget", "% of batches over budget")
    return table(head, rows) if rows else ""


def burned(results: Results) -> dict[str, Any]:
    """Expected accounting and what was really burned."""
    found = overdrawn(results)
    rows = [
        [kept.policy, f"{kept.rows:,}", f"{kept.over:,}", percent(kept.over / kept.rows), *map(points, kept[3:])]
        for kept in found
    ]
    head = ("policy", "batches", "over budget", "% of batches", "by, mean, %", "by, worst, %")
    mine = next((kept for kept in found if kept.policy == EXPECTED), None)
    return {
        "table": table(head, rows) if rows else "",
        "over": sum(kept.over for kept in found),
        "batches": sum(kept.rows for kept in found),
        "promised": f"{100.0 * OVERRUN:g}",
        "often": mine is not None and mine.over / mine.rows > OVERRUN,
        "share": percent(mine.over / mine.rows) if mine else "",
        "where": listed(
            f"{stream} {over} of {rows}" for stream, (over, rows) in overdrawn_by_stream(results).items()
        ),
    }
