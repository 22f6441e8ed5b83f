"""Results files of Anthropic's Message Batches API.

The format: https://docs.claude.com/en/api/retrieving-message-batch-results, and the types of the anthropic package
(`anthropic/types/messages/message_batch_individual_response.py`, and `anthropic/types/usage.py`, by which
output_tokens is the inclusive total). Thinking is a part of `output_tokens`, never to be added; there is no total.
"""

from __future__ import annotations

import os
from typing import Any

from clear_alloc.files import RolloutTable
from clear_alloc.importers.batches import Answer, Scores, field, read_batch
from clear_alloc.importers.records import RecordRejected, is_cut
from clear_alloc.importers.usage import Generated, tokens_with_reasoning_inside

__all__ = ["from_anthropic_batch"]

_FINISHED = ("end_turn", "stop_sequence", "tool_use", "refusal")
_CUT = ("max_tokens", "model_context_window_exceeded")


def from_anthropic_batch(
    path: str | os.PathLike[str],
    scores: Scores,
    *,
    id_pattern: str | None = None,
    cap: int | None = None,
    skip_bad_rows: bool = False,
) -> RolloutTable:
    """Rollouts from a results file of Anthropic's Message Batches API (.jsonl), scored elsewhere.

    Parameters
    ----------
    path : path
        What `results_url` serves, or a directory of such files.
    scores, id_pattern, skip_bad_rows
        As `from_openai_batch`.
    cap : int, optional
        `max_tokens` of the requests, token: results don't repeat it.

    Returns
    -------
    RolloutTable
        `tokens`: output tokens, thinking included once. `cap`: the tokens themselves where the length was cut
        (`stop_reason` max_tokens or model_context_window_exceeded), else `cap`. A refusal counts as finished,
        as scored; a turn that paused (`pause_turn`) or ended nobody knows how is refused. `notes`: of several models.

    Raises
    ------
    BadRow, InvalidArgument, NotSupported, OSError
        A refused request or score; a pattern without a group.
    """
    return read_batch(path, scores, _answer, id_pattern, cap, skip_bad_rows)


def _answer(line: dict[str, Any]) -> Answer:
    kind = field(line, "result", "type")
    if kind != "succeeded":
        said = field(line, "result", "error", "error", "message") or field(line, "result", "error", "message")
        raise RecordRejected(
            f"it is {kind or 'without a result'}{f' ({said})' if said else ''}; send it again or leave it out"
        )
    message = field(line, "result", "message")
    stop, usage = field(message, "stop_reason"), field(message, "usage")
    if stop == "pause_turn":
        raise RecordRejected("it paused (pause_turn) and is not finished; continue it or leave it out")
    output, thinking = field(usage, "output_tokens"), field(usage, "output_tokens_details", "thinking_tokens")
    if output is None:
        raise RecordRejected("it has no usage.output_tokens; leave it out")
    tokens = tokens_with_reasoning_inside(output, thinking)
    return Answer(Generated(tokens), is_cut(stop, _FINISHED, _CUT, "stop_reason"), model=field(message, "model"))
