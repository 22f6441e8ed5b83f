"""Logs of Inspect AI (.eval, .json), read by the inspect-ai package itself.

Facts, from the source of inspect_ai 0.3.285:

- `ModelUsage.output_tokens` should include the reasoning, and does for OpenAI, Anthropic and, since 2026, Gemini; for
  Grok and for Gemini before, `reasoning_tokens` are apart (`model/_providers/grok.py`, `google.py`); see `usage`.
- `EvalSample.model_usage` has one entry per model, which holds a model's grading of itself too. So an entry that
  differs from the usage of the last answer is counted again from the sample's events; see `inspect_calls`.
- The limit per call is `plan.config.max_tokens`, or else `eval.model_generate_config.max_tokens`. A limit that
  only the provider's default sets is not in the header.
- The stop reason `unknown` stands for all that inspect-ai has no word for, as `abort`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from clear_alloc.files import BadRowPolicy, RolloutTable
from clear_alloc.importers.inspect_calls import answer_calls, same_usage, usage_tokens
from clear_alloc.importers.inspect_log import InspectLog
from clear_alloc.importers.log_files import ReadLog, log_files, one_table
from clear_alloc.importers.records import (
    RecordRejected,
    check_threshold,
    collect,
    is_cut,
    one_of,
    rejected,
    scored,
)
from clear_alloc.support.optional import optional

__all__ = ["from_inspect"]

_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}  # inspect_ai.scorer.value_to_float
_FINISHED, _CUT = ("stop", "tool_calls", "content_filter"), ("max_tokens", "model_length")
_NO_LOGS = ("logs.json", "eval-set.json", "listing.json")  # what inspect-ai writes beside its logs


def from_inspect(
    path: str | os.PathLike[str],
    *,
    scorer: str | None = None,
    threshold: float | None = None,
    skip_bad_rows: bool = False,
) -> RolloutTable:
    """Rollouts from logs of Inspect AI: one per sample and epoch; `query_id` is the sample's id.

    Parameters
    ----------
    path : path
        A `.eval` log, of which few samples at a time are in memory, a `.json` log, or a directory of both. Several
        logs of one task are more rollouts of its queries; with several tasks, ids become `task/id`.
    scorer : str, optional
        Which score says whether the answer is right; may be left out where there is only one. C is right; I and
        N (no answer) are wrong; numbers must be 0 or 1.
    threshold : float, optional
        Admits other numbers and P (partial, 0.5): at least `threshold` is right.
    skip_bad_rows : bool, default False
        Leave out samples that failed, were not run, were invalidated, or have no usable score or usage, and list
        them in `.skipped`, instead of refusing the log at the first one. Rows are counted in the order of
        the log's sample ids, all epochs of one before the next.

    Returns
    -------
    RolloutTable
        `tokens`: tokens that the evaluated model generated, reasoning included once, over all calls of the sample
        but those of its scorers.
        `cap`: where the length was cut (stop reason `max_tokens` or `model_length`, or a limit of the sample),
        the tokens themselves; else the configured `max_tokens`, if the sample was one call; else NaN.
        `notes`: of several models in one table, of an unfinished log that another of its run replaces, and of
        reasoning whose count the total doesn't confirm.

    Raises
    ------
    BadRow, InvalidArgument, OSError
        A refused sample, as one whose usage leaves open whether reasoning is inside its output tokens; several
        scorers and none named; a file that isn't a log, is nested too deeply or unpacks to too much.
    NotSupported
        inspect-ai is not installed.
    """
    check_threshold(threshold)
    library, refuse = (
        optional("inspect_ai.log", "inspect", "reading a log of Inspect AI"),
        BadRowPolicy(skip_bad_rows),
    )
    logs = [InspectLog(library, file) for file in log_files(path, (".eval", ".json"), _NO_LOGS, strict=True)]
    kept, notes = _without_replaced(logs)
    questions: dict[tuple[str, str], int] = {}
    read = []
    for log in kept:
        reader = _Reader(log, scorer, threshold, questions)
        rows = collect(log.file, log.samples(refuse), reader.rollout, refuse)
        read.append(ReadLog(rows, log.task, [log.model], reader.notes))
    return one_table(path, read, refuse, notes)


def _without_replaced(logs: Sequence[InspectLog]) -> tuple[list[InspectLog], list[str]]:
    """The logs without those that a retry finished, whose samples stand in its log again; and a note of each."""
    done = {log.task_id for log in logs if log.status == "success"}
    replaced = [log for log in logs if log.status != "success" and log.task_id in done]
    why = "and another log finishes the same run"
    notes = [f"{log.file} is left out: its status is {log.status!r}, {why}" for log in replaced]
    return [log for log in logs if log not in replaced], notes


class _Reader:
    """Turns samples of a log into rollouts; the first scored one settles which scorer counts."""

    def __init__(
        self, log: InspectLog, scorer: str | None, threshold: float | None, questions: dict[tuple[str, str], int]
    ):
        self.log, self.scorer, self.threshold, self.questions = log, scorer, threshold, questions
        self.notes: set[str] = set()

    def rollout(self, sample: Any) -> dict[str, Any]:
        try:
            return self._rollout(sample)
        except RecordRejected as error:
            raise RecordRejected(f"sample {str(sample.id)!r}, epoch {sample.epoch}: {error}") from None

    def _rollout(self, sample: Any) -> dict[str, Any]:
        if sample.error is not None:
            raise RecordRejected(
                f"it failed ({sample.error.message.partition(chr(10))[0]}); run it again or leave it out"
            )
        if sample.invalidation is not None:
            raise RecordRejected("it was invalidated; run it again or leave it out")
        self._check_question(sample)
        correct, (tokens, limit) = self._correct(sample), self._length(sample)
        stopped = sample.limit is not None or is_cut(sample.output.stop_reason, _FINISHED, _CUT, "stop_reason")
        return {"query_id": str(sample.id), "tokens": tokens, "correct": correct, "cap": tokens if stopped else limit}

    def _check_question(self, sample: Any) -> None:
        asked = sample.input if isinstance(sample.input, str) else "\n".join(message.text for message in sample.input)
        if self.questions.setdefault((self.log.task, str(sample.id)), hash(asked)) != hash(asked):
            raise RecordRejected("it asks another question than a sample of that id before; read each task by itself")

    def _correct(self, sample: Any) -> int:
        if not sample.scores:
            raise RecordRejected("it has no score; score the log (inspect score) or leave it out")
        if self.scorer is None:
            self.scorer = str(one_of(sample.scores, "scorer", "scorers of the log"))
        if self.scorer not in sample.scores:
            raise RecordRejected(
                f"it has no score {self.scorer!r}; allowed: {', '.join(sample.scores)}; name one of them"
            )
        value, name = sample.scores[self.scorer].value, f"score {self.scorer!r}"
        if value == "P" and self.threshold is None:
            raise rejected(name, value, "C, I, N", "it is partial; give a threshold (P counts 0.5)")
        return scored(_LETTERS.get(value, value) if isinstance(value, str) else value, name, self.threshold)

    def _length(self, sample: Any) -> tuple[int, int | None]:
        """Tokens of the answer, and their limit, which is known if one call made it."""
        total, last = sample.model_usage.get(self.log.model), sample.output.usage
        if total is not None and last is not None and same_usage(total, last):
            return self._generated([last]), self.log.max_tokens
        calls = answer_calls(self.log.events(sample), self.log.model)
        if not calls or any(call.output.usage is None for call in calls):
            raise RecordRejected(f"it has no usage of model {self.log.model!r}; log the events or leave it out")
        tokens = self._generated([call.output.usage for call in calls])
        return tokens, calls[0].config.max_tokens if len(calls) == 1 else None

    def _generated(self, usages: list[Any]) -> int:
        each = [usage_tokens(usage) for usage in usages]
        self.notes.update(one.note for one in each if one.note)
        return sum(one.tokens for one in each)
