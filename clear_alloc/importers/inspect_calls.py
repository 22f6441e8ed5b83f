"""Calls of a sample in a log of Inspect AI, and the tokens of those that made the answer.

By default a model grades its own answers (`model_graded_qa`), and `EvalSample.model_usage` holds the grading too. So
the answer's calls are told from the events, which have marked scorers in three ways: as a `step` of type `scorer` (to
0.3.86), as a span of type `scorer`, and as such a span inside one of type `scorers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from clear_alloc.importers.records import RecordRejected
from clear_alloc.importers.usage import Generated, generated_tokens

__all__ = ["answer_calls", "same_usage", "usage_tokens"]

_SCORING = ("scorer", "scorers")


def answer_calls(events: Sequence[Any], model: str) -> list[Any]:
    """The calls that made the answer: those of `model` in no role and outside of scorers. O(events)."""
    return [call for call in _outside_scorers(events) if call.model == model and call.role is None and not call.error]


def _outside_scorers(events: Sequence[Any]) -> Iterator[Any]:
    steps, spans, opened = 0, set[str | None](), set[str]()
    for event in events:
        if event.event == "step" and event.type in _SCORING:
            steps += 1 if event.action == "begin" else -1
        elif event.event == "span_begin":
            names = {event.id} if event.span_id is None or event.span_id in opened else {event.id, event.span_id}
            if event.type in _SCORING or event.parent_id in spans:
                spans |= names
            opened |= names
        elif event.event == "model" and not steps and event.span_id not in spans:
            yield event
        elif event.event in ("subtask", "tool") and not steps and _holds_calls(getattr(event, "events", None)):
            raise RecordRejected(f"its {event.event} events hold calls of their own, as in old logs; leave it out")


def _holds_calls(events: Any) -> bool:
    if not isinstance(events, list):
        return False
    inner = [event if isinstance(event, dict) else vars(event) for event in events]
    return any(event.get("event") == "model" or _holds_calls(event.get("events")) for event in inner)


def same_usage(one: Any, other: Any) -> bool:
    """Whether two usages count the same output and the same reasoning."""
    return bool(
        one.output_tokens == other.output_tokens and (one.reasoning_tokens or 0) == (other.reasoning_tokens or 0)
    )


def usage_tokens(usage: Any) -> Generated:
    """Tokens of a `ModelUsage`, reasoning once. RecordRejected where its total leaves that open."""
    # Tokens read from a cache are a part of input_tokens for some providers and versions, and apart for others.
    prompt, read, written = usage.input_tokens, usage.input_tokens_cache_read, usage.input_tokens_cache_write
    prompts = {prompt + a + b for a in (0, read or 0) for b in (0, written or 0)}
    return generated_tokens(usage.output_tokens, usage.reasoning_tokens, usage.total_tokens, *prompts)
