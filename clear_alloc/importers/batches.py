"""What OpenAI's and Anthropic's batch results share: an id per request, scores from elsewhere, each id once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from clear_alloc.errors import InvalidArgument
from clear_alloc.files import BadRowPolicy, RolloutTable, check_unique, json_objects, read_checked
from clear_alloc.importers.records import RecordRejected, collect, name_pattern, plain_name
from clear_alloc.schema import ScoreRow

__all__ = ["SAMPLE_NUMBER", "Answer", "Scores", "field", "read_batch"]

SAMPLE_NUMBER = r"(.+)[-#]\d+"  # an id_pattern: `q17-3` and `q17#3` are samples of `q17`

Scores = Mapping[str, Any] | str | os.PathLike[str]


class Answer(NamedTuple):
    """Usage of one request that came back.

    tokens : output tokens, reasoning included once.
    cut : whether a token limit ended it.
    limit : that limit, token, where the result itself tells it.
    """

    tokens: object
    cut: bool
    limit: object = None


def read_batch(
    path: str | os.PathLike[str],
    scores: Scores,
    answer: Callable[[dict[str, Any]], Answer],
    id_pattern: str | None,
    cap: int | None,
    skip_bad_rows: bool,
) -> RolloutTable:
    """Rollouts from a file of batch results, whose lines `answer` understands or finds `RecordRejected`. O(lines)."""
    pattern, refuse = name_pattern(id_pattern), BadRowPolicy(skip_bad_rows)
    correct = _correct_by_id(scores)
    seen: set[str] = set()

    def rollout(line: dict[str, Any]) -> dict[str, Any]:
        name = line.get("custom_id")
        if not isinstance(name, str) or not name:
            raise RecordRejected(f"custom_id is {name!r}; allowed: a name; give a file of batch results")
        try:
            cells = _cells(answer(line), cap)
        except RecordRejected as error:
            raise RecordRejected(f"request {name!r}: {error}") from None
        if name in seen:
            raise RecordRejected(f"request {name!r}: it stands in an earlier row too; keep one result per request")
        if name not in correct:
            raise RecordRejected(f"request {name!r}: it has no score; add it to the scores or leave it out")
        seen.add(name)
        return {"query_id": plain_name(name, pattern), "correct": correct[name], **cells}

    return collect(path, json_objects(Path(path), refuse), rollout, refuse)


def _cells(answer: Answer, cap: int | None) -> dict[str, Any]:
    # A cut answer has reached its limit, whatever the provider's tokenizer made of the last few tokens.
    return {"tokens": answer.tokens, "cap": answer.tokens if answer.cut else answer.limit or cap}


def _correct_by_id(scores: Scores) -> Mapping[str, Any]:
    if isinstance(scores, Mapping):
        return scores
    if scores is None:
        remedy = "batch results don't say which answers are right"
        raise InvalidArgument("scores", None, "a file or mapping of custom_id -> 0 or 1", remedy)
    checked = read_checked(scores, ScoreRow)
    names, found = checked.columns["custom_id"], checked.columns["correct"].tolist()
    check_unique(checked, "custom_id", "keep one score per request")
    return dict(zip(names, found, strict=True))


def field(record: object, *names: str) -> Any:
    """The value under these names, one within the other; None where one of them is missing."""
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    return record
