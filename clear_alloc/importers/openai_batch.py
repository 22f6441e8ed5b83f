"""Output files of OpenAI's Batch API, of chat completions and of responses.

The format: https://platform.openai.com/docs/api-reference/batch/request-output, and the types of the openai package
(`openai/types/completion_usage.py`, `openai/types/responses/response.py`). OpenAI counts reasoning in
`completion_tokens` and `output_tokens`, others that write the same format beside them; see `usage`.
"""

from __future__ import annotations

import os
from typing import Any

from clear_alloc.files import RolloutTable
from clear_alloc.importers.batches import Answer, Scores, field, read_batch
from clear_alloc.importers.records import RecordRejected, is_cut
from clear_alloc.importers.usage import Generated, generated_tokens

__all__ = ["from_openai_batch"]

_FINISHED, _CUT = ("stop", "tool_calls", "function_call", "content_filter"), ("length",)


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
        The file behind `output_file_id`, of /v1/chat/completions or /v1/responses, or a directory of such files.
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
        `tokens`: tokens that the model generated, reasoning included once, whether it is reported inside the
        completion tokens or apart. `cap`: the tokens themselves where the length was cut (`finish_reason` length;
        `incomplete_details` max_output_tokens), else the response's `max_output_tokens`, else `cap`. An answer
        that a content filter ended counts as finished, as scored; one that was aborted is refused.
        `notes`: of several models in one table, and of reasoning whose count the total doesn't confirm.

    Raises
    ------
    BadRow, InvalidArgument, NotSupported, OSError
        A refused request or score, as one whose total tokens leave open whether reasoning is inside the completion
        tokens; a pattern without a group.
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
    choices = body["choices"]
    if len(choices) != 1:
        raise RecordRejected(
            f"it has {len(choices)} choices and one usage for all; allowed: 1; send n = 1 several times"
        )
    tokens = _tokens(body, "completion", "prompt")
    return Answer(tokens, is_cut(field(choices[0], "finish_reason"), _FINISHED, _CUT), model=field(body, "model"))


def _response(body: dict[str, Any]) -> Answer:
    status, reason = field(body, "status"), field(body, "incomplete_details", "reason")
    cut, filtered = reason == "max_output_tokens", reason == "content_filter"
    if status != "completed" and not (status == "incomplete" and (cut or filtered)):
        raise RecordRejected(f"it is {status} ({reason or 'no reason given'}); send it again or leave it out")
    return Answer(_tokens(body, "output", "input"), cut, field(body, "max_output_tokens"), field(body, "model"))


def _tokens(body: dict[str, Any], output: str, prompt: str) -> Generated:
    usage = field(body, "usage")
    generated, reasoning = (
        field(usage, f"{output}_tokens"),
        field(usage, f"{output}_tokens_details", "reasoning_tokens"),
    )
    if generated is None:
        raise RecordRejected(f"it has no usage.{output}_tokens; leave it out")
    return generated_tokens(generated, reasoning, field(usage, "total_tokens"), field(usage, f"{prompt}_tokens"))
