"""JSON of others: each key once, no nesting that breaks the reader, and a short sentence for what can't be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydantic_core

from clear_alloc.columns.ids import repeated_row
from clear_alloc.errors import printable
from clear_alloc.files.bad_rows import BadRowPolicy
from clear_alloc.files.formats import Pick

__all__ = ["json_objects", "json_rows", "parse_json"]

_ABSENT = object()


def parse_json(text: str | bytes) -> Any:
    """What one JSON text says; bytes are UTF-8.

    ValueError in one short sentence for text that is not JSON, and for a key that stands twice in one object. Also
    for more nesting than Python's reader takes (about a thousand levels). O(length).
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    with suppress(ValueError):
        content = pydantic_core.from_json(raw)  # several times as fast, but the last of two equal keys wins
        if isinstance(content, dict) and raw.count(b":") == len(content):
            return content  # each key has a colon of its own, so none stands twice
    try:
        return json.loads(raw.decode(), object_pairs_hook=_object, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise ValueError(f"a number has {len(digits):,} digits") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        row, _ = repeated_row(names) or (0, 0)
        raise ValueError(f"the key '{printable(names[row], 80)}' stands twice")
    return content


def json_objects(path: Path, refuse: BadRowPolicy) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and content of every line that holds one JSON object; blank lines are passed, others refused."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not text.strip():
                continue
            detail = ""
            try:
                content = parse_json(text)
            except ValueError as error:
                content, detail = None, f" ({error})"
            if isinstance(content, dict):
                yield number, content
            else:
                refuse(path, number, f"the row is not one JSON object; repair or remove the line{detail}")


def json_rows(path: Path, refuse: BadRowPolicy, pick: Pick | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and cells of every row; with `pick`, those that it names, under our names."""
    for number, content in json_objects(path, refuse):
        if pick is None:
            yield number, content
        else:
            found = {ours: _at(content, theirs) for ours, theirs in pick.items()}
            yield number, {ours: value for ours, value in found.items() if value is not _ABSENT}


def _at(content: Any, path: str) -> Any:
    """The value under a key, or else under the keys that dots divide, one within the other."""
    if path in content:
        return content[path]
    for name in path.split("."):
        content = content.get(name, _ABSENT) if isinstance(content, dict) else _ABSENT
    return content
