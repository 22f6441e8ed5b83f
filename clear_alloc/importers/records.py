"""What all importers share: one record in, one rollout or one refusal out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

from clear_alloc.columns.validate import scalar
from clear_alloc.errors import InvalidArgument, printable
from clear_alloc.files import BadRowPolicy, check_rows
from clear_alloc.files.checked_rows import CheckedRows
from clear_alloc.schema import RolloutRow

__all__ = [
    "RecordRejected",
    "check_threshold",
    "collect",
    "is_cut",
    "name_pattern",
    "one_of",
    "plain_name",
    "rejected",
    "scored",
]

Record = TypeVar("Record")


class RecordRejected(Exception):
    """The record at hand is no rollout, for the reason it carries. Importers catch it; nobody else sees it."""


def rejected(name: str, value: object, allowed: str, remedy: str) -> RecordRejected:
    """A rejection in the words of `InvalidArgument`: short and printable, whatever `value` is."""
    return RecordRejected(InvalidArgument(name, value, allowed, remedy))


def collect(
    source: object,
    records: Iterable[tuple[int, Record]],
    rollout: Callable[[Record], dict[str, Any]],
    refuse: BadRowPolicy,
) -> CheckedRows:
    """Numbered records, each turned into a `RolloutRow`'s cells by `rollout` and checked by it. O(records)."""

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, record in records:
            try:
                cells = rollout(record)
            except RecordRejected as error:
                refuse(source, number, printable(error))
            else:
                yield number, cells

    return check_rows(str(source), RolloutRow, rows(), refuse)


def check_threshold(threshold: float | None) -> None:
    """`InvalidArgument` unless `threshold` is None or a finite number above 0."""
    if threshold is None:
        return
    allowed, remedy = "a finite number above 0", "scores of at least the threshold count as right"
    if not 0 < scalar("threshold", threshold, allowed, remedy) < float("inf"):
        raise InvalidArgument("threshold", threshold, allowed, remedy)


def scored(value: object, name: str, threshold: float | None) -> int:
    """Whether a score counts as right, 0 or 1. Partial credit is `RecordRejected` without a threshold."""
    if not isinstance(value, (int, float)) or not abs(value) < float("inf"):  # an integer may exceed all floats
        remedy = "choose another score or leave the row out"
        raise rejected(name, value, "a number or a boolean", remedy)
    if threshold is not None:
        return int(value >= threshold)
    if value not in (0, 1):
        shown = printable(repr(value), 80)
        raise RecordRejected(
            f"{name} is {shown}, neither right nor wrong; allowed: 0 or 1; give a threshold to divide them"
        )
    return int(value)


def is_cut(reason: object, finished: Collection[str], cut: Collection[str], name: str = "finish_reason") -> bool:
    """Whether a token limit ended the answer. `RecordRejected` unless `reason` is in `finished` or in `cut`.

    An answer that was aborted, or that ended nobody knows how, is neither finished nor as long as its limit.
    """
    if not isinstance(reason, str) or not (reason in finished or reason in cut):
        remedy = "the answer is not known to have finished; send it again or leave it out"
        raise rejected(name, reason, ", ".join((*finished, *cut)), remedy)
    return reason in cut


def one_of(names: Collection[object], argument: str, what: str, wanted: object = None) -> Any:
    """The only name there is. `InvalidArgument` with all of them where there are several, or where one is wanted."""
    if len(names) != 1 or wanted is not None:
        allowed = f"one of the {what}: {', '.join(map(str, names))}"
        raise InvalidArgument(argument, wanted, allowed, f"name one {argument}")
    return next(iter(names))


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
        raise rejected("custom_id", custom_id, f"what id_pattern {pattern.pattern!r} matches", "correct one")
    return found[1]
