"""Batches of OpenAI's API: reasoning once, inside or apart; cuts seen as cuts; every refusal with its reason."""

from __future__ import annotations

import pytest
from support.logs import chat, openai_line, refused_or_skipped, response, shown, write

import clear_alloc as ca
from clear_alloc import importers


def test_openai_chat_counts_reasoning_once(tmp_path):
    path = write(tmp_path / "out.jsonl", [openai_line("q1", chat(900, 850)), openai_line("q2", chat(40))])
    found = importers.from_openai_batch(path, {"q1": 1, "q2": 0})
    assert shown(found) == {"query_id": ["q1", "q2"], "tokens": [900, 40], "correct": [1, 0]}


def test_openai_responses_count_reasoning_once(tmp_path):
    path = write(tmp_path / "out.jsonl", [openai_line("q1", response(700, 640, limit=4096))])
    found = importers.from_openai_batch(path, {"q1": True})
    assert shown(found) == {"query_id": ["q1"], "tokens": [700], "correct": [1], "cap": [4096]}


def test_openai_cut_answers_have_reached_their_cap(tmp_path):
    lines = [
        openai_line("a", chat(998, finish="length")),
        openai_line("b", chat(10)),
        openai_line("c", response(998, status="incomplete", reason="max_output_tokens", limit=1000)),
        openai_line("d", response(50, status="incomplete", reason="content_filter", limit=1000)),
        openai_line("e", chat(7, finish="content_filter")),
    ]
    path, scores = write(tmp_path / "out.jsonl", lines), dict.fromkeys("abcde", 0)
    assert shown(importers.from_openai_batch(path, scores))["cap"] == [998, None, 998, 1000, None]
    assert shown(importers.from_openai_batch(path, scores, cap=1024))["cap"] == [998, 1024, 998, 1000, 1024]
    assert ca.fit(importers.from_openai_batch(path, scores)).report.censored.tolist() == [1, 0, 1, 0, 0]


EXPIRED = {"code": "batch_expired", "message": "This request could not be executed in time."}
OPENAI_FAILURES = [
    ({**openai_line("bad", None), "response": None, "error": EXPIRED}, "failed (This request could not be executed"),
    (openai_line("bad", {"error": {"message": "Rate limit"}}, status=429), "it failed (Rate limit)"),
    (openai_line("bad", {}, status=500), "it failed (status_code 500)"),
    (openai_line("bad", response(5, status="failed")), "it is failed (no reason given)"),
    (openai_line("bad", response(5, status="incomplete", reason="steered")), "it is incomplete (steered)"),
    (openai_line("bad", chat(5, choices=3)), "it has 3 choices and one usage for all"),
    (openai_line("bad", {**chat(5), "usage": None}), "it has no usage.completion_tokens"),
    (openai_line("bad", {**response(5), "usage": None}), "it has no usage.output_tokens"),
    (openai_line("bad", {"object": "list", "data": []}), "neither a chat completion nor a response"),
    (openai_line("bad", chat(-40)), "tokens is -40; allowed: a whole number of tokens"),
    (openai_line(None, chat(5)), "custom_id is None; allowed: a name"),
    (openai_line("unscored", chat(5)), "request 'unscored': it has no score"),
    (openai_line("good", chat(5)), "request 'good': it stands in an earlier row too"),
]


@pytest.mark.parametrize(("line", "reason"), OPENAI_FAILURES)
def test_openai_failures_are_named_and_never_counted(tmp_path, line, reason):
    path = write(tmp_path / "out.jsonl", [openai_line("good", chat(30)), line])
    said, table = refused_or_skipped(importers.from_openai_batch, path, {"good": 1, "bad": 1})
    assert reason in said
    assert shown(table) == {"query_id": ["good"], "tokens": [30], "correct": [1]}


def reported(body, reasoning, total):
    usage = body["usage"]
    usage["total_tokens"] = total
    usage[next(name for name in usage if name.endswith("_details"))] = {"reasoning_tokens": reasoning}
    return body


@pytest.mark.parametrize("answer", [chat, response])
def test_reasoning_that_is_reported_apart_is_added(tmp_path, answer):
    lines = [openai_line("apart", reported(answer(6), 89, 115)), openai_line("inside", reported(answer(90), 89, 110))]
    lines += [openai_line("only", reported(answer(0), 60, 80))]
    path = write(tmp_path / "out.jsonl", lines)
    found = importers.from_openai_batch(path, {"apart": 1, "inside": 1, "only": 1})
    assert shown(found)["tokens"] == [95, 90, 60]
    assert found.notes == ()


@pytest.mark.parametrize("answer", [chat, response])
@pytest.mark.parametrize("total", [25, 10**5])
def test_a_total_that_leaves_reasoning_open_is_refused(tmp_path, answer, total):
    lines = [openai_line("good", answer(30)), openai_line("bad", reported(answer(90), 40, total))]
    path = write(tmp_path / "out.jsonl", lines)
    reason, table = refused_or_skipped(importers.from_openai_batch, path, {"good": 1, "bad": 1})
    assert "request 'bad': it reports 90 output and 40 reasoning tokens beside a prompt of 20" in reason
    assert shown(table)["tokens"] == [30]


def test_hidden_reasoning_is_refused_and_unconfirmed_reasoning_noted(tmp_path):
    hidden = write(tmp_path / "hidden.jsonl", [openai_line("a", reported(chat(6), 0, 400))])
    with pytest.raises(ca.BadRow, match=r"its total_tokens, 400, hold 374 more than a prompt of 20 and 6 output"):
        importers.from_openai_batch(hidden, {"a": 1})
    assumed = write(tmp_path / "assumed.jsonl", [openai_line("a", reported(chat(90), 40, None))])
    found = importers.from_openai_batch(assumed, {"a": 1})
    assert shown(found)["tokens"] == [90]
    assert "have no total of prompt and output" in found.notes[0]
    unsure = write(tmp_path / "unsure.jsonl", [openai_line("a", reported(chat(6), 300, None))])
    found = importers.from_openai_batch(unsure, {"a": 1})
    assert shown(found)["tokens"] == [306]
    assert "the total tokens don't confirm it" in found.notes[0]


@pytest.mark.parametrize("finish", ["abort", "error", "cancelled", None, 3, ["stop"], ""])
def test_an_answer_that_was_aborted_is_not_finished(tmp_path, finish):
    path = write(tmp_path / "out.jsonl", [openai_line("good", chat(30)), openai_line("bad", chat(90, finish=finish))])
    reason, _ = refused_or_skipped(importers.from_openai_batch, path, {"good": 1, "bad": 1})
    assert f"request 'bad': finish_reason is {finish!r}; allowed: stop, tool_calls" in reason
