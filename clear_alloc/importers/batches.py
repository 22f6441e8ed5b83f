"""What OpenAI's and Anthropic's batch results share: an id per request, scores from elsewhere, each id once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from clear_alloc.errors import InvalidArgument, printable
from clear_alloc.files import BadRowPolicy, RolloutTable, check_unique, json_objects, read_checked
from clear_alloc.importers.log_files import ReadLog, log_files, one_table
from clear_alloc.importers.records import RecordRejected, collect, name_pattern, plain_name, rejected
from clear_alloc.importers.usage import Generated
from clear_alloc.schema import ScoreRow

__all__ = ["SAMPLE_NUMBER", "Answer", "Scores", "field", "read_batch"]

SAMPLE_NUMBER = r"(.+)[-#]\d+"  # an id_pattern: `q17-3` and `q17#3` are samples of `q17`

Scores = Mapping[str, Any] | str | os.PathLike[str]


class Answer(NamedTuple):
    """Usage of one request that came back.

    generated : tokens that the model generated, reasoning once.
    cut : whether a token limit ended it.
    limit : that limit, token, where the result itself tells it.
    model : the name of the model, where the result tells it.
    """

    generated: Generated
    cut: bool
    limit: object = None
    model: object = None


def read_batch(
    path: str | os.PathLike[str],
    scores: Scores,
    answer: Callable[[dict[str, Any]], Answer],
    id_pattern: str | None,
    cap: int | None,
    skip_bad_rows: bool,
) -> RolloutTable:
    """Rollouts from batch results, whose lines `answer` understands or finds `RecordRejected`. O(lines).

    path : a file of results, or a directory of them. A request stands once in all of them.
    """
    pattern, refuse = name_pattern(id_pattern), BadRowPolicy(skip_bad_rows)
    reader = _Reader(_correct_by_id(scores), answer, pattern, cap)
    beside = () if isinstance(scores, Mapping) else (Path(scores).name,)
    logs = [
        ReadLog(
            collect(file, json_objects(file, refuse), reader.rollout, refuse),
            models=reader.models,
            notes=reader.notes,
        )
        for file in log_files(path, (".jsonl", ".ndjson"), beside)
    ]
    return one_table(path, logs, refuse)


class _Reader:
    """Turns lines into rollouts; remembers which requests and models it has seen."""

    def __init__(
        self,
        correct: Mapping[str, Any],
        answer: Callable[[dict[str, Any]], Answer],
        pattern: re.Pattern[str] | None,
        cap: int | None,
    ):
        self.correct, self.answer, self.pattern, self.cap = correct, answer, pattern, cap
        self.seen: set[str] = set()
        self.models: set[str] = set()
        self.notes: set[str] = set()

    def rollout(self, line: dict[str, Any]) -> dict[str, Any]:
        name = line.get("custom_id")
        if not isinstance(name, str) or not name:
            raise rejected("custom_id", name, "a name", "give a file of batch results")
        try:
            return self._rollout(name, line)
        except RecordRejected as error:
            raise RecordRejected(f"request {printable(name, 80)!r}: {error}") from None

    def _rollout(self, name: str, line: dict[str, Any]) -> dict[str, Any]:
        answer = self.answer(line)
        if name in self.seen:
            raise RecordRejected("it stands in an earlier row too; keep one result per request")
        if name not in self.correct:
            raise RecordRejected("it has no score; add it to the scores or leave it out")
        self.seen.add(name)
        if isinstance(answer.model, str):
            self.models.add(answer.model)
        tokens, note = answer.generated
        self.notes.update([note] if note else [])
        # A cut answer has reached its limit, whatever the provider's tokenizer made of the last few tokens.
        limit = tokens if answer.cut else answer.limit or self.cap
        return {
            "query_id": plain_name(name, self.pattern),
            "tokens": tokens,
            "correct": self.correct[name],
            "cap": limit,
        }


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
