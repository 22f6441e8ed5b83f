"""Batches of Anthropic's API: thinking counted once; every refusal with its reason."""

from __future__ import annotations

import pytest
from support.logs import refused_or_skipped, shown, write

from clear_alloc import importers


def anthropic_line(name, tokens=0, thinking=0, stop="end_turn"):
    # A line of https://docs.claude.com/en/api/retrieving-message-batch-results
    usage = {"input_tokens": 11, "output_tokens": tokens, "output_tokens_details": {"thinking_tokens": thinking}}
    text = [{"type": "text", "text": "4"}]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": text}
    message |= {"stop_reason": stop, "stop_sequence": None, "usage": usage}
    return {"custom_id": name, "result": {"type": "succeeded", "message": message}}


def test_anthropic_counts_thinking_once(tmp_path):
    lines = [anthropic_line("q1", 900, 850), anthropic_line("q2", 1000, 990, "max_tokens")]
    lines += [
        anthropic_line("q3", 300, stop="model_context_window_exceeded"),
        anthropic_line("q4", 5, stop="refusal"),
    ]
    path, scores = write(tmp_path / "r.jsonl", lines), {"q1": 1, "q2": 0, "q3": 0, "q4": 0}
    found = shown(importers.from_anthropic_batch(path, scores))
    assert (found["tokens"], found["cap"]) == ([900, 1000, 300, 5], [None, 1000, 300, None])
    assert shown(importers.from_anthropic_batch(path, scores, cap=2000))["cap"] == [2000, 1000, 300, 2000]


ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}, "request_id": None}
NO_USAGE = anthropic_line("bad", 5)
NO_USAGE["result"]["message"]["usage"] = {}
ANTHROPIC_FAILURES = [
    ({"custom_id": "bad", "result": {"type": "errored", "error": ERROR}}, "request 'bad': it is errored (too long)"),
    ({"custom_id": "bad", "result": {"type": "expired"}}, "request 'bad': it is expired; send it again"),
    ({"custom_id": "bad", "result": {"type": "canceled"}}, "request 'bad': it is canceled; send it again"),
    ({"custom_id": "bad"}, "request 'bad': it is without a result"),
    (anthropic_line("bad", 5, stop="pause_turn"), "it paused (pause_turn)"),
    (NO_USAGE, "it has no usage.output_tokens"),
]


@pytest.mark.parametrize(("line", "reason"), ANTHROPIC_FAILURES)
def test_anthropic_failures_are_named_and_never_counted(tmp_path, line, reason):
    path = write(tmp_path / "r.jsonl", [anthropic_line("good", 30), line])
    said, table = refused_or_skipped(importers.from_anthropic_batch, path, {"good": 1, "bad": 1})
    assert reason in said
    assert shown(table) == {"query_id": ["good"], "tokens": [30], "correct": [1]}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (anthropic_line("bad", 5, 6), "it reports 5 output and 6 reasoning tokens, though the one is a part of"),
        (anthropic_line("bad", 5, stop="abort"), "stop_reason is 'abort'; allowed: end_turn, stop_sequence"),
        (anthropic_line("bad", 5, stop=None), "stop_reason is None; allowed: end_turn"),
        (anthropic_line("bad", -5), "output_tokens is -5; allowed: a whole number of tokens"),
    ],
)
def test_thinking_beyond_the_output_and_odd_ends_are_refused(tmp_path, line, reason):
    path = write(tmp_path / "r.jsonl", [anthropic_line("good", 30), line])
    said, _ = refused_or_skipped(importers.from_anthropic_batch, path, {"good": 1, "bad": 1})
    assert f"request 'bad': {reason}" in said
