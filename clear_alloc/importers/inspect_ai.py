"""Logs of Inspect AI (.eval, .json), read by the inspect-ai package itself.

Facts, from the source of inspect_ai 0.3.285:

- `ModelUsage.output_tokens` includes the reasoning; `reasoning_tokens` is a part of it, never to be added. OpenAI's
  and Grok's `completion_tokens` and Anthropic's and the Responses API's `output_tokens` arrive that way; for Gemini
  the thoughts are folded in (`model/_providers/google.py`, `usage_metadata_to_model_usage`).
- `EvalSample.model_usage` has one entry per model, and by default a model grades its own answers
  (`model_graded_qa`): its entry then holds the grading too. So an entry that differs from the usage of the last
  answer is counted again from the sample's events, without the calls inside the span `scorers` and those of roles.
- The limit per call is `plan.config.max_tokens`, or else `eval.model_generate_config.max_tokens`. A limit that
  only the provider's default sets is not in the header.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clear_alloc.errors import ClearAllocError, InvalidArgument
from clear_alloc.files import BadRowPolicy, RolloutTable
from clear_alloc.importers.records import RecordRejected, check_threshold, collect, scored
from clear_alloc.support.optional import optional

__all__ = ["from_inspect"]

_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}  # inspect_ai.scorer.value_to_float
_CUT = ("max_tokens", "model_length")
_UNUSED = {"messages", "store", "attachments", "timelines"}
_HEAVY = {"events", "events_data"}
_AT_ONCE = 256  # samples in memory
_BROKEN = (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


class _Header(NamedTuple):
    model: str
    max_tokens: int | None
    status: str
    places: dict[tuple[str, int], int]  # (sample, epoch) -> row


def from_inspect(
    path: str | os.PathLike[str],
    *,
    scorer: str | None = None,
    threshold: float | None = None,
    skip_bad_rows: bool = False,
) -> RolloutTable:
    """Rollouts from a log of Inspect AI: one per sample and epoch; `query_id` is the sample's id.

    Parameters
    ----------
    path : path
        A `.eval` log, of which few samples at a time are in memory, or a `.json` log.
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
        `tokens`: output tokens of the evaluated model, reasoning included once, over all calls of the sample
        but those of its scorers.
        `cap`: where the length was cut (stop reason `max_tokens` or `model_length`, or a limit of the sample),
        the tokens themselves; else the configured `max_tokens`, if the sample was one call; else NaN.

    Raises
    ------
    BadRow, InvalidArgument, OSError
        A refused sample; several scorers and none named; a file that isn't a log.
    NotSupported
        inspect-ai is not installed.
    """
    check_threshold(threshold)
    log = optional("inspect_ai.log", "inspect", "reading a log of Inspect AI")
    file, refuse = Path(path), BadRowPolicy(skip_bad_rows)
    if file.suffix.lower() not in (".eval", ".json"):
        raise InvalidArgument(f"the suffix of {file}", file.suffix, ".eval, .json", "give a log of Inspect AI")
    file.open("rb").close()  # the system's own words for a missing file
    try:
        header = _header(log, file)
        reader = _Reader(header, scorer, threshold, lambda sample: _events(log, file, sample))
        return collect(file, _samples(log, file, header, refuse), reader.rollout, refuse)
    except ClearAllocError:  # some of ours are ValueErrors too
        raise
    except _BROKEN as error:
        detail = str(error).partition("\n")[0]
        remedy = f"write the log again, or read it with inspect-ai to see more ({detail})"
        raise InvalidArgument(f"the content of {file}", "not a log", "a log of Inspect AI", remedy) from error


def _header(log: Any, file: Path) -> _Header:
    header = log.read_eval_log(str(file), header_only=True)
    spec = header.eval
    planned, given = header.plan.config.max_tokens, spec.model_generate_config.max_tokens
    ids, epochs = spec.dataset.sample_ids or [], range(1, (spec.config.epochs or 1) + 1)
    places = {key: row for row, key in enumerate(((str(i), e) for i in ids for e in epochs), start=1)}
    return _Header(spec.model, given if planned is None else planned, header.status, places)


def _samples(log: Any, file: Path, header: _Header, refuse: BadRowPolicy) -> Iterator[tuple[int, Any]]:
    held = {(str(s.id), s.epoch): (s.id, s.epoch) for s in log.read_eval_log_sample_summaries(str(file))}
    places = dict(header.places)
    for key in held:  # logs of old versions don't list their samples
        places.setdefault(key, len(places) + 1)
    rows = [(row, held[key]) for key, row in places.items() if key in held]
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        wanted = [key for _, key in part]
        samples = log.read_eval_log_samples_by_id(str(file), wanted, exclude_fields=_UNUSED | _HEAVY)
        yield from zip((row for row, _ in part), samples, strict=True)
    # An interrupted run has finished its short samples and lost the long ones, so its gaps are not harmless.
    for key, row in places.items():
        if key not in held:
            reason = f"it is not in the log, whose status is {header.status!r}; finish the run (inspect eval-retry)"
            refuse(file, row, f"sample {key[0]!r}, epoch {key[1]}: {reason}")


def _events(log: Any, file: Path, sample: Any) -> Sequence[Any]:
    if sample.events:
        return list(sample.events)
    again = log.read_eval_log_sample(str(file), sample.id, sample.epoch, exclude_fields=_UNUSED)
    return list(again.events)


def _own_calls(events: Sequence[Any], model: str) -> list[Any]:
    """The calls that made the answer: those of `model` in no role and outside the span `scorers`."""
    scoring: set[str | None] = set()
    calls = []
    for event in events:
        if event.event == "span_begin" and (event.type == "scorers" or event.parent_id in scoring):
            scoring.add(event.id)
        elif event.event == "model" and event.span_id not in scoring and _answers(event, model):
            calls.append(event)
    return calls


def _answers(call: Any, model: str) -> bool:
    return call.model == model and call.role is None and call.error is None


class _Reader:
    """Turns samples into rollouts; the first scored one settles which scorer counts."""

    def __init__(
        self, header: _Header, scorer: str | None, threshold: float | None, events: Callable[[Any], Sequence[Any]]
    ):
        self.header, self.scorer, self.threshold, self.events = header, scorer, threshold, events

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
        correct, (tokens, limit) = self._correct(sample), self._length(sample)
        cut = sample.limit is not None or sample.output.stop_reason in _CUT
        return {"query_id": str(sample.id), "tokens": tokens, "correct": correct, "cap": tokens if cut else limit}

    def _correct(self, sample: Any) -> int:
        if not sample.scores:
            raise RecordRejected("it has no score; score the log (inspect score) or leave it out")
        if self.scorer is None:
            self.scorer = _only([str(name) for name in sample.scores], "scorer", "scorers of the log")
        if self.scorer not in sample.scores:
            raise RecordRejected(
                f"it has no score {self.scorer!r}; allowed: {', '.join(sample.scores)}; name one of them"
            )
        value = sample.scores[self.scorer].value
        if value == "P" and self.threshold is None:
            raise RecordRejected(
                f"score {self.scorer!r} is 'P', partial; allowed: C, I, N; give a threshold (P counts 0.5)"
            )
        value = _LETTERS.get(value, value) if isinstance(value, str) else value
        return scored(value, f"score {self.scorer!r}", self.threshold)

    def _length(self, sample: Any) -> tuple[int, int | None]:
        """Output tokens of the answer, and their limit, which is known if one call made it."""
        total, last = sample.model_usage.get(self.header.model), sample.output.usage
        if total is not None and last is not None and total.output_tokens == last.output_tokens:
            return last.output_tokens, self.header.max_tokens
        calls = _own_calls(self.events(sample), self.header.model)
        if not calls or any(call.output.usage is None for call in calls):
            raise RecordRejected(f"it has no usage of model {self.header.model!r}; log the events or leave it out")
        tokens = sum(call.output.usage.output_tokens for call in calls)
        return tokens, calls[0].config.max_tokens if len(calls) == 1 else None


def _only(names: list[str], argument: str, what: str) -> str:
    if len(names) > 1:
        raise InvalidArgument(argument, None, f"one of the {what}: {', '.join(names)}", f"name one {argument}")
    return names[0]
