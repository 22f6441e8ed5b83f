"""Sample logs of EleutherAI's lm-evaluation-harness, `samples_<task>_<date>.jsonl` (`--log_samples`).

The format as its source writes it: `lm_eval/evaluator.py`, `evaluate`, builds each sample (doc_id, doc, target,
arguments, resps, filtered_resps, filter, metrics, doc_hash, prompt_hash, target_hash, and one field per metric; once
per filter), and `lm_eval/loggers/evaluation_tracker.py`, `save_results_samples`, writes `arguments` as
{"gen_args_0": {"arg_0": prompt, "arg_1": generation options}}. Before version 0.4.8 there was neither `filter` nor
`metrics`, and at first `arguments` was a list of lists. There are no token counts.

Where the model has a `think_end_token`, `lm_eval/models/utils.py`, `postprocess_generated_text`, cuts everything up
to it off before the answer is logged: the text of `resps` is then the answer without its thinking. The samples don't
say so; `results_<date>.json`, beside them, holds the model's arguments.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clear_alloc.errors import InvalidArgument
from clear_alloc.files import BadRowPolicy, RolloutTable, json_objects, parse_json
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

__all__ = ["from_lm_eval"]

_OF_HARNESS = frozenset({
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash",
    "prompt_hash", "target_hash", "finish_reason",
})  # fmt: skip
_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_FINISHED, _CUT = ("stop", "eos", "content_filter", "tool_calls"), ("length", "max_tokens")
_NO_FILTER = "none"  # the harness's name for it
_RECOUNT = 64  # counting a text again is off by less than one token in so many
_NAME = re.compile(r"samples_(?P<task>.+?)(_(?P<date>\d{4}-\d\d-\d\dT.*))?")

TokensFrom = str | Callable[[Mapping[str, Any]], int]


def from_lm_eval(
    path: str | os.PathLike[str],
    *,
    tokens_from: TokensFrom | None = None,
    metric: str | None = None,
    filter: str | None = None,  # noqa: A002 - the harness's own word
    threshold: float | None = None,
    cap: int | None = None,
    skip_bad_rows: bool = False,
) -> RolloutTable:
    """Rollouts from sample logs of the lm-evaluation-harness; `query_id` is the sample's `doc_id`.

    Parameters
    ----------
    path : path
        One `samples_*.jsonl`, or a directory of them. Several logs of one task are more rollouts of its queries;
        with several tasks, ids become `task/doc_id`.
    tokens_from : str or callable
        The harness counts no tokens. Either a field of the samples that you added (with dots for a field within a
        field, `usage.completion_tokens`), or a function from a sample to its number of tokens, as
        `lambda sample: len(tokenizer.encode(sample["resps"][0][0]))`. A function that counts the logged text
        counts the answer without its thinking, if the model was run with `think_end_token`. Then run it without,
        and let a filter of the task take the answer out of the text; or name a field with the engine's own counts.
    metric : str, optional
        The field that says whether the answer is right; may be left out where there is only one.
    filter : str, optional
        Whose judgement counts; may be left out where there is only one.
    threshold : float, optional
        Admits scores other than 0 and 1: at least `threshold` is right.
    cap : int, optional
        The most tokens that the model could write, where the samples don't say (`max_gen_toks`).
    skip_bad_rows : bool, default False
        Leave bad samples out and list them in `.skipped`, instead of refusing the file at the first one.

    Returns
    -------
    RolloutTable
        `cap` is the sample's own `max_gen_toks`, else `cap`. A field `finish_reason` of the sample says whether a
        length was cut. Without one a length within 1/64 of its cap, below or above, has reached it: a text that
        is counted again comes to a few tokens more or fewer than the engine counted.
        `notes`: of several models in one table, and of counts that may miss the thinking.

    Raises
    ------
    BadRow, InvalidArgument, OSError
        A refused sample, as one with several answers (repeats, votes) and one score; several metrics or filters
        and none named; no `tokens_from`, or a function where thinking is known to be cut off.
    """
    check_threshold(threshold)
    if tokens_from is None:
        remedy = "sample logs hold no token counts: name a field that you added, or pass a function that counts"
        raise InvalidArgument("tokens_from", None, "a field of the samples or a function of a sample", remedy)
    refuse, files = BadRowPolicy(skip_bad_rows), log_files(path, (".jsonl",))
    readers: dict[str, _Reader] = {}
    logs = []
    for file in files:
        task = _task(file)
        reader = readers.setdefault(task, _Reader(tokens_from, metric, threshold, cap))
        reader.unnamed.clear()
        rows = collect(file, _of_one_filter(file, filter, refuse), reader.rollout, refuse)
        logs.append(ReadLog(rows, task, [file.parent.name]))
    return one_table(path, logs, refuse, _thinking_notes(files) if callable(tokens_from) else ())


def _task(file: Path) -> str:
    named = _NAME.fullmatch(file.stem)
    return named["task"] if named else file.stem


def _thinking_notes(files: list[Path]) -> list[str]:
    """What to say of a function that counts texts. InvalidArgument where thinking is known to be cut off them."""
    unknown = [file for file in files if _think_end(file) is None]
    remedy = "name a field with the engine's counts, or run again without think_end_token and take the answer out "
    remedy += "of the text with a filter"
    for file in files:
        if _think_end(file):
            allowed = f"a field: {file} was written with a think_end_token, so its texts are without the thinking"
            raise InvalidArgument("tokens_from", "a function of a sample", allowed, remedy)
    note = f"where the model ran with a think_end_token, the counted texts are without the thinking; {remedy}"
    return [note] if unknown else []


def _think_end(file: Path) -> bool | None:
    """Whether the results beside a log say that its model has a `think_end_token`; None if there are none."""
    named = _NAME.fullmatch(file.stem)
    results = file.with_name(f"results_{named['date']}.json") if named and named["date"] else file
    if results == file or not results.is_file():
        return None
    try:
        arguments = parse_json(results.read_bytes())["config"]["model_args"]
    except (ValueError, KeyError, TypeError):
        return None
    given = arguments.get("think_end_token") if isinstance(arguments, dict) else "think_end_token=" in str(arguments)
    return bool(given)


def _of_one_filter(file: Path, wanted: str | None, refuse: BadRowPolicy) -> Iterator[tuple[int, dict[str, Any]]]:
    seen: dict[str, None] = {}
    samples = _filtered(file, refuse)
    for number, name, sample in samples:
        if "doc_id" in sample:
            seen.setdefault(name)
        if wanted is None and len(seen) > 1:
            seen |= dict.fromkeys(other for _, other, _ in samples)  # to name them all
            break
        if wanted is None or name == wanted:
            yield number, sample
    if seen and (len(seen) > 1 if wanted is None else wanted not in seen):
        one_of(seen, "filter", "file's filters", wanted)


def _filtered(file: Path, refuse: BadRowPolicy) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for number, sample in json_objects(file, refuse):
        name = sample.get("filter", _NO_FILTER)
        if isinstance(name, str):
            yield number, name, sample
        else:
            refuse(file, number, rejected("filter", name, "a name", "repair the sample or leave it out"))


class _Reader:
    """Turns samples of a task into rollouts; the first one settles which metric counts.

    unnamed : doc_ids in the log at hand, where its samples name no filter.
    """

    def __init__(self, tokens_from: TokensFrom, metric: str | None, threshold: float | None, cap: int | None):
        self.tokens_from, self.metric, self.threshold, self.cap = tokens_from, metric, threshold, cap
        self.hashes: dict[str, str] = {}
        self.unnamed: set[str] = set()

    def rollout(self, sample: dict[str, Any]) -> dict[str, Any]:
        query = self._query(sample)
        correct, options = self._correct(sample), _generation_options(sample)
        _check_one_answer(sample)
        limit = next((options[name] for name in _LIMITS if options.get(name) is not None), self.cap)
        return {"query_id": query, "correct": correct, **self._length(sample, limit)}

    def _query(self, sample: dict[str, Any]) -> str:
        if "doc_id" not in sample:
            raise RecordRejected("it has no doc_id; give a samples_*.jsonl file of the lm-evaluation-harness")
        given = sample["doc_id"]
        if isinstance(given, bool) or not isinstance(given, (int, str)) or given == "":
            raise rejected("doc_id", given, "a whole number or a name", "repair the sample or leave it out")
        name, mark = str(given), repr(sample.get("doc_hash"))
        if self.hashes.setdefault(name, mark) != mark:
            raise RecordRejected(f"doc_id {name} is another document than before; read each task's file by itself")
        # Old logs repeat a document once per filter and don't say which: those are not rollouts.
        if "filter" not in sample and name in self.unnamed:
            raise RecordRejected(
                f"doc_id {name} stands twice and no filter is named; keep the rows of one filter only"
            )
        self.unnamed.add(name)
        return name

    def _correct(self, sample: dict[str, Any]) -> int:
        names = sample["metrics"] if "metrics" in sample else self._unlisted(sample)
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise rejected("metrics", names, "a list of names", "repair the sample or leave it out")
        if self.metric is None:
            self.metric = one_of(names, "metric", "samples' metrics")
        if self.metric not in sample:
            raise RecordRejected(f"it has no metric {self.metric!r}; allowed: {', '.join(names)}; name one of them")
        return scored(sample[self.metric], f"metric {self.metric!r}", self.threshold)

    def _unlisted(self, sample: dict[str, Any]) -> list[str]:
        """Metrics of a sample that doesn't list them: its numbers, without the tokens that were added."""
        added = {self.tokens_from, self.tokens_from.partition(".")[0]} if isinstance(self.tokens_from, str) else set()
        return [name for name, value in sample.items() if name not in _OF_HARNESS | added and _is_number(value)]

    def _length(self, sample: dict[str, Any], limit: Any) -> dict[str, Any]:
        tokens = self._tokens(sample)
        if "finish_reason" in sample:
            return {"tokens": tokens, "cap": tokens if is_cut(sample["finish_reason"], _FINISHED, _CUT) else limit}
        reached = _is_number(tokens) and _is_number(limit) and abs(tokens - limit) <= limit // _RECOUNT
        return {"tokens": limit if reached else tokens, "cap": limit}

    def _tokens(self, sample: dict[str, Any]) -> Any:
        if callable(self.tokens_from):
            return self.tokens_from(sample)
        value: Any = sample
        for name in [self.tokens_from] if self.tokens_from in sample else self.tokens_from.split("."):
            if not isinstance(value, dict) or name not in value:
                raise RecordRejected(
                    f"it has no field {self.tokens_from!r} with its tokens; add it or name another field"
                )
            value = value[name]
        return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def _check_one_answer(sample: dict[str, Any]) -> None:
    """RecordRejected for several answers and one score: a vote, or repeats of which one is scored."""
    requests = sample.get("resps")
    given = requests if isinstance(requests, list) else []
    answers = [answer for request in given if isinstance(request, list) for answer in request]
    if len(answers) > 1:
        raise RecordRejected(
            f"it holds {len(answers)} answers and one score; allowed: 1; run the task with repeats: 1, several times "
            "with other seeds, and read the logs together"
        )


def _generation_options(sample: dict[str, Any]) -> dict[str, Any]:
    arguments = sample.get("arguments")
    if isinstance(arguments, dict):
        first = arguments.get("gen_args_0")
        second = first.get("arg_1") if isinstance(first, dict) else None
    else:
        first = arguments[0] if isinstance(arguments, list) and arguments else None
        second = first[1] if isinstance(first, list) and len(first) > 1 else None
    if isinstance(second, str):  # a continuation whose likelihood was asked for
        raise RecordRejected("its answers were ranked by likelihood, not written; choose a task that generates")
    return second if isinstance(second, dict) else {}
