"""Sample logs of EleutherAI's lm-evaluation-harness, `samples_<task>_<date>.jsonl` (`--log_samples`).

The format as its source writes it: `lm_eval/evaluator.py`, `evaluate`, builds each sample (doc_id, doc, target,
arguments, resps, filtered_resps, filter, metrics, doc_hash, prompt_hash, target_hash, and one field per metric; once
per filter), and `lm_eval/loggers/evaluation_tracker.py`, `save_results_samples`, writes `arguments` as
{"gen_args_0": {"arg_0": prompt, "arg_1": generation options}}. Before version 0.4.8 there was neither `filter` nor
`metrics`, and at first `arguments` was a list of lists. There are no token counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clear_alloc.errors import InvalidArgument
from clear_alloc.files import BadRowPolicy, RolloutTable, json_objects
from clear_alloc.importers.records import RecordRejected, check_threshold, collect, scored

__all__ = ["from_lm_eval"]

_OWN = frozenset({
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash",
    "prompt_hash", "target_hash",
})  # fmt: skip
_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")

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
    """Rollouts from a sample log of the lm-evaluation-harness; `query_id` is the sample's `doc_id`.

    Parameters
    ----------
    path : path
        One `samples_*.jsonl`, or several of the same task, one after the other (`cat`), for several rollouts.
    tokens_from : str or callable
        The harness counts no tokens. Either a field of the samples that you added (with dots for a field within a
        field, `usage.completion_tokens`), or a function from a sample to its number of tokens, as
        `lambda sample: len(tokenizer.encode(sample["resps"][0][0]))`. With repeats, `resps[0]` holds several
        answers, and the function says which of them the metric judges.
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
        `cap` is the sample's own `max_gen_toks`, else `cap`; a length that reaches it counts as cut.

    Raises
    ------
    BadRow, InvalidArgument, OSError
        A refused sample; several metrics or filters and none named; no `tokens_from`.
    """
    check_threshold(threshold)
    if tokens_from is None:
        remedy = "sample logs hold no token counts: name a field that you added, or pass a function that counts"
        raise InvalidArgument("tokens_from", None, "a field of the samples or a function of a sample", remedy)
    file, refuse = Path(path), BadRowPolicy(skip_bad_rows)
    reader = _Reader(tokens_from, metric, threshold, cap)
    return collect(file, _of_one_filter(file, filter, refuse), reader.rollout, refuse)


def _of_one_filter(file: Path, wanted: str | None, refuse: BadRowPolicy) -> Iterator[tuple[int, dict[str, Any]]]:
    seen: dict[Any, None] = {}
    samples = json_objects(file, refuse)
    for number, sample in samples:
        if "doc_id" in sample:
            seen.setdefault(sample.get("filter"))
        if wanted is None and len(seen) > 1:
            seen |= dict.fromkeys(other.get("filter") for _, other in samples)  # to name them all
            break
        if wanted is None or sample.get("filter") == wanted:
            yield number, sample
    if (wanted is None and len(seen) > 1) or (wanted is not None and seen and wanted not in seen):
        found = ", ".join(map(str, seen))
        raise InvalidArgument("filter", wanted, f"one of the file's filters: {found}", "name the one that counts")


class _Reader:
    """Turns samples into rollouts; the first one settles which metric counts."""

    def __init__(self, tokens_from: TokensFrom, metric: str | None, threshold: float | None, cap: int | None):
        self.tokens_from, self.metric, self.threshold, self.cap = tokens_from, metric, threshold, cap
        self.hashes: dict[Any, Any] = {}

    def rollout(self, sample: dict[str, Any]) -> dict[str, Any]:
        if "doc_id" not in sample:
            raise RecordRejected("it has no doc_id; give a samples_*.jsonl file of the lm-evaluation-harness")
        self._check_place(sample)
        correct, options = self._correct(sample), _generation_options(sample)
        limits = [options[name] for name in _LIMITS if options.get(name) is not None]
        cap = limits[0] if limits else self.cap
        return {"query_id": str(sample["doc_id"]), "tokens": self._tokens(sample), "correct": correct, "cap": cap}

    def _check_place(self, sample: dict[str, Any]) -> None:
        name, mark = str(sample["doc_id"]), sample.get("doc_hash")
        if self.hashes.setdefault(name, mark) != mark:
            raise RecordRejected(f"doc_id {name} is another document than before; read each task's file by itself")
        # Old logs repeat a document once per filter and don't say which: those are not rollouts.
        if "filter" not in sample and (name, None) in self.hashes:
            raise RecordRejected(
                f"doc_id {name} stands twice and no filter is named; keep the rows of one filter only"
            )
        self.hashes[name, None] = None

    def _correct(self, sample: dict[str, Any]) -> int:
        names = sample.get("metrics") or [name for name in sample if name not in _OWN]
        if self.metric is None:
            if len(names) != 1:
                found = ", ".join(map(str, names)) or "no metric"
                raise InvalidArgument("metric", None, f"one of the samples' metrics: {found}", "name one metric")
            self.metric = str(names[0])
        if self.metric not in sample:
            found = ", ".join(map(str, names)) or "no metric"
            raise RecordRejected(f"it has no metric {self.metric!r}; allowed: {found}; name one of them")
        return scored(sample[self.metric], f"metric {self.metric!r}", self.threshold)

    def _tokens(self, sample: dict[str, Any]) -> Any:
        if callable(self.tokens_from):
            return self.tokens_from(sample)
        value: Any = sample
        for part in [self.tokens_from] if self.tokens_from in sample else self.tokens_from.split("."):
            if not isinstance(value, dict) or part not in value:
                raise RecordRejected(
                    f"it has no field {self.tokens_from!r} with its tokens; add it or name another field"
                )
            value = value[part]
        return value


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
