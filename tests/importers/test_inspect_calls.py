"""A model that grades itself: its calls as a scorer are not its answer, in each way that logs have marked them."""

from __future__ import annotations

import pytest

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed")

from support.inspect_logs import call, log, sample, save, usage

import clear_alloc as ca
from clear_alloc import importers

pytestmark = pytest.mark.filterwarnings("ignore")
per_format = pytest.mark.parametrize("suffix", [".json", ".eval"])


def step(action, kind, name="x"):
    return {"event": "step", "action": action, "type": kind, "name": name}


def span(name, kind, *inner, parent=None):
    begin = {"event": "span_begin", "id": name, "span_id": name, "parent_id": parent, "type": kind, "name": name}
    return [begin, *inner, {"event": "span_end", "id": name, "span_id": name}]


ANSWER, GRADING = usage(46), usage(143)
STEPS = [
    step("begin", "solver"), call(ANSWER), step("end", "solver"), step("begin", "scorer"), call(GRADING),
    step("end", "scorer"),
]  # fmt: skip
TWO_SCORERS = [*STEPS[:5], step("begin", "scorer"), call(GRADING), step("end", "scorer"), call(GRADING), STEPS[5]]
LONE_SPAN = [*span("a", "solver", call(ANSWER, span_id="a")), *span("b", "scorer", call(GRADING, span_id="b"))]
NESTED = [
    *span("a", "solver", call(ANSWER, span_id="a")),
    *span(
        "b",
        "scorers",
        *span("c", "scorer", *span("d", "agent", call(GRADING, span_id="d"), parent="c"), parent="b"),
    ),
]
# Grading while the solver runs, as an agent may do before it answers.
BETWEEN = [
    *span("a", "solver", *span("b", "scorer", call(GRADING, span_id="b"), parent="a"), call(ANSWER, span_id="a"))
]


@per_format
@pytest.mark.parametrize("events", [STEPS, TWO_SCORERS, LONE_SPAN, NESTED, BETWEEN])
def test_the_calls_of_scorers_are_not_the_answer(tmp_path, suffix, events):
    path = save(tmp_path / f"x{suffix}", log([sample("q1", ANSWER, usage(189), events)]))
    assert importers.from_inspect(path)["tokens"].tolist() == [46]


@per_format
def test_spans_whose_ids_are_lost_are_told_by_where_their_events_stand(tmp_path, suffix):
    events = [event | ({"id": "lost"} if "id" in event else {}) for event in LONE_SPAN]
    path = save(tmp_path / f"x{suffix}", log([sample("q1", ANSWER, usage(189), events)]))
    assert importers.from_inspect(path)["tokens"].tolist() == [46]


@per_format
def test_reasoning_apart_is_counted_in_each_call_of_the_answer(tmp_path, suffix):
    turns = [usage(6, 300, 356), usage(7, 200, 257)]
    events = span("a", "solver", *(call(turn, span_id="a") for turn in turns))
    path = save(tmp_path / f"x{suffix}", log([sample("q1", turns[1], usage(13, 500, 613, prompt=100), events)]))
    assert importers.from_inspect(path)["tokens"].tolist() == [513]


def test_a_call_that_only_reasons_is_a_part_of_the_answer(tmp_path):
    turns = [usage(0, 300, 350), usage(7, 200, 257)]
    events = span("a", "solver", *(call(turn, span_id="a") for turn in turns))
    path = save(tmp_path / "x.json", log([sample("q1", turns[1], usage(7, 500, 607, prompt=100), events)]))
    assert importers.from_inspect(path)["tokens"].tolist() == [507]


def test_calls_hidden_in_the_events_of_a_subtask_are_refused(tmp_path):
    hidden = {"event": "subtask", "name": "search", "input": {}, "result": None, "events": [call(usage(90))]}
    path = save(tmp_path / "x.json", log([sample("q1", ANSWER, usage(136), [hidden, call(ANSWER)])]))
    with pytest.raises(ca.BadRow, match="its subtask events hold calls of their own"):
        importers.from_inspect(path)
