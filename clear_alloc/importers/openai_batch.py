"""Output files of OpenAI's Batch API, of chat completions and of responses.

The format: https://platform.openai.com/docs/api-reference/batch/request-output, and the types of the openai package
(`openai/types/completion_usage.py`, `openai/types/responses/response.py`). Reasoning is a part of `completion_tokens`
and of `output_tokens`; the details beside them are a breakdown, never to be added.
"""

from __future__ import annotations

import os
from typing import Any

from clear_alloc.files import RolloutTable
from clear_alloc.importers.batches import Answer, Scores, field, read_batch
from clear_alloc.importers.records import RecordRejected

__all__ = ["from_openai_batch"]


def from_openai_batch(
    path: str | os.PathLike[str],
    scores: Scores,
    *,
    id_pattern: str | None = None,
    cap: int | None = None,
    skip_bad_rows: bool = False,
) -> RolloutTable:
    r"""Rollouts from an output file of OpenAI's Batch API (.jsonl), scored elsewhere.

    Parameters
    ----------
    path : path
        The file behind `output_file_id`, of /v1/chat/completions or /v1/responses.
    scores : mapping or path
        `custom_id` -> 0 or 1, or a JSONL, CSV or Parquet file with the columns custom_id and correct. Scores of
        other requests are ignored.
    id_pattern : str, optional
        A regular expression for the whole `custom_id`, whose first group is the `query_id`; `SAMPLE_NUMBER`,
        `(.+)[-#]\d+`, drops a sample number. By default `query_id` is the `custom_id`.
    cap : int, optional
        `max_completion_tokens` of the requests, token: chat completions don't repeat it.
    skip_bad_rows : bool, default False
        Leave out requests that failed, expired, have no score or don't read, and list them in `.skipped`, instead
        of refusing the file at the first one.

    Returns
    -------
    RolloutTable
        `tokens`: completion tokens, reasoning included once. `cap`: the tokens themselves where the length was
        cut (`finish_reason` length; `incomplete_details` max_output_tokens), else the response's
        `max_output_tokens`, else `cap`. An answer that a content filter ended counts as finished, as scored.

    Raises
    ------
    BadRow, InvalidArgument, NotSupported, OSError
        A refused request or score; a pattern without a group.
    """
    return read_batch(path, scores, _answer, id_pattern, cap, skip_bad_rows)


def _answer(line: dict[str, Any]) -> Answer:
    body = field(line, "response", "body")
    problem = field(line, "error") or field(body, "error")
    status = field(line, "response", "status_code")
    if problem or status != 200:
        said = field(problem, "message") or field(problem, "code") or f"status_code {status}"
        raise RecordRejected(f"it failed ({said}); send it again or leave it out")
    if field(body, "object") == "response":
        return _response(body)
    if isinstance(field(body, "choices"), list):
        return _chat(body)
    raise RecordRejected("its body is neither a chat completion nor a response; allowed: those two")


def _chat(body: dict[str, Any]) -> Answer:
    choices, tokens = body["choices"], field(body, "usage", "completion_tokens")
    if len(choices) != 1:
        raise RecordRejected(
            f"it has {len(choices)} choices and one usage for all; allowed: 1; send n = 1 several times"
        )
    if tokens is None:
        raise RecordRejected("it has no usage.completion_tokens; leave it out")
    return Answer(tokens, field(choices[0], "finish_reason") == "length")


def _response(body: dict[str, Any]) -> Answer:
    status, reason = field(body, "status"), field(body, "incomplete_details", "reason")
    cut, filtered = reason == "max_output_tokens", reason == "content_filter"
    if status != "completed" and not (status == "incomplete" and (cut or filtered)):
        raise RecordRejected(f"it is {status} ({reason or 'no reason given'}); send it again or leave it out")
    tokens = field(body, "usage", "output_tokens")
    if tokens is None:
        raise RecordRejected("it has no usage.output_tokens; leave it out")
    return Answer(tokens, cut, field(body, "max_output_tokens"))
