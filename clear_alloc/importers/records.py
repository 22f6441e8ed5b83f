"""What all importers share: one record in, one rollout or one refusal out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from clear_alloc.errors import InvalidArgument
from clear_alloc.files import BadRowPolicy, RolloutTable, check_rows, rollout_table
from clear_alloc.schema import RolloutRow

__all__ = ["RecordRejected", "check_threshold", "collect", "name_pattern", "plain_name", "scored"]

Record = TypeVar("Record")


class RecordRejected(Exception):
    """The record at hand is no rollout, for the reason it carries. Importers catch it; nobody else sees it."""


def collect(
    source: object,
    records: Iterable[tuple[int, Record]],
    rollout: Callable[[Record], dict[str, Any]],
    refuse: BadRowPolicy,
) -> RolloutTable:
    """Numbered records, each turned into a `RolloutRow`'s cells by `rollout` and checked by it. O(records)."""

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, record in records:
            try:
                cells = rollout(record)
            except RecordRejected as error:
                refuse(source, number, error)
            else:
                yield number, cells

    return rollout_table(check_rows(str(source), RolloutRow, rows(), refuse), refuse)


def check_threshold(threshold: float | None) -> None:
    """`InvalidArgument` unless `threshold` is None or a finite number above 0."""
    if threshold is not None and not (math.isfinite(threshold) and threshold > 0):
        remedy = "scores of at least the threshold count as right"
        raise InvalidArgument("threshold", threshold, "a finite number above 0", remedy)


def scored(value: object, name: str, threshold: float | None) -> int:
    """Whether a score counts as right, 0 or 1. Partial credit is `RecordRejected` without a threshold."""
    if isinstance(value, (int, float)) and not math.isnan(value):
        if threshold is not None:
            return int(value >= threshold)
        if value in (0, 1):
            return int(value)
        raise RecordRejected(
            f"{name} is {value!r}, neither right nor wrong; allowed: 0 or 1; give a threshold to divide them"
        )
    raise RecordRejected(
        f"{name} is {value!r}; allowed: a number or a boolean; choose another score or leave the row out"
    )


def name_pattern(pattern: str | None) -> re.Pattern[str] | None:
    """The compiled pattern. `InvalidArgument` unless it is a regular expression with a group for the query."""
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InvalidArgument("id_pattern", pattern, "a regular expression", str(error)) from error
    if not compiled.groups:
        remedy = r"put the part that names the query in brackets, as (.+)-\d+"
        raise InvalidArgument("id_pattern", pattern, "a regular expression with a group", remedy)
    return compiled


def plain_name(custom_id: str, pattern: re.Pattern[str] | None) -> str:
    """The query that a request belongs to: the first group of `pattern`, or the whole `custom_id`."""
    if pattern is None:
        return custom_id
    found = pattern.fullmatch(custom_id)
    if found is None or not found[1]:
        raise RecordRejected(
            f"custom_id is {custom_id!r}; allowed: what id_pattern {pattern.pattern!r} matches; correct one"
        )
    return found[1]
