"""Lines of evaluation logs and batches as their sources write them, and what an importer makes of them."""

from __future__ import annotations

import json

import pytest

import clear_alloc as ca


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def shown(table):
    """The table as lists, NaN as None."""
    return {name: [None if value != value else value for value in values.tolist()] for name, values in table.items()}


def refused_or_skipped(read, path, *others, row=2, **options):
    """The reason of the one bad row, the same when it is refused and when it is skipped, and what is left."""
    with pytest.raises(ca.BadRow) as caught:
        read(path, *others, **options)
    table = read(path, *others, skip_bad_rows=True, **options)
    assert [(s.source, s.row, s.reason) for s in table.skipped] == [(str(path), row, caught.value.reason)]
    assert caught.value.row == row
    return caught.value.reason, table


def openai_line(name, body, status=200, error=None):
    # The line of https://platform.openai.com/docs/api-reference/batch/request-output
    response = {"status_code": status, "request_id": "req_1", "body": body}
    return {"id": "batch_req_1", "custom_id": name, "response": response, "error": error}


def chat(tokens, reasoning=0, finish="stop", choices=1):
    usage = {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens}
    usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    message = {"role": "assistant", "content": "4", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    frame = {"id": "c1", "object": "chat.completion", "created": 1, "model": "o3"}
    return {**frame, "choices": [choice] * choices, "usage": usage}


def response(tokens, reasoning=0, status="completed", reason=None, limit=None):
    usage = {"input_tokens": 20, "output_tokens": tokens, "total_tokens": 20 + tokens}
    usage["output_tokens_details"] = {"reasoning_tokens": reasoning}
    details = {"reason": reason} if reason else None
    frame = {"id": "r1", "object": "response", "status": status, "error": None, "incomplete_details": details}
    return {**frame, "max_output_tokens": limit, "usage": usage}
