"""Long columns in blocks that stay in cache, spread over the cores; short ones at once.

NumPy gives up the interpreter's lock inside its loops, so threads share the work. Every block is computed alone and
the answers come back in order: how many threads there are never changes a result.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from clear_alloc.errors import InvalidArgument
from clear_alloc.support.lazy import cached_property

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["BLOCK", "cached_property", "each", "each_block"]

BLOCK = 131_072  # rows: a few columns stay in cache, and threads seldom wait for the interpreter
_MOST_THREADS = 8  # beyond this memory is the limit
_VARIABLE = "CLEAR_ALLOC_THREADS"

T = TypeVar("T")
S = TypeVar("S")


def each(act: Callable[[S], T], parts: Iterable[S]) -> list[T]:
    """`act` of each part, in order; on several threads where there are several parts."""
    listed = list(parts)
    threads = _threads() if len(listed) > 1 and not getattr(_here, "is_worker", False) else 1
    if threads == 1:
        return [act(part) for part in listed]
    try:
        answers = _pool(threads).map(act, listed)
    except RuntimeError:  # the interpreter is ending, or the system gives no more threads
        return [act(part) for part in listed]
    return list(answers)


_here = threading.local()
_pools: dict[int, ThreadPoolExecutor] = {}


def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that stay, with the memory that they have used; new ones would ask the system for it page by page."""
    if threads not in _pools:
        from concurrent.futures import ThreadPoolExecutor

        _pools[threads] = ThreadPoolExecutor(threads, "clear_alloc", _mark)
    return _pools[threads]


def _mark() -> None:
    _here.is_worker = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # threads don't survive a fork


def each_block(act: Callable[[slice], T], n: int) -> list[T]:
    """`act` of the slices that n rows fall into, in order."""
    return each(act, [slice(first, min(first + BLOCK, n)) for first in range(0, n, BLOCK)])


def _threads() -> int:
    """CLEAR_ALLOC_THREADS, or the cores that this process may use, at most 8."""
    asked = os.environ.get(_VARIABLE)
    if not asked:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, _MOST_THREADS)
    if not asked.isascii() or not asked.isdigit() or not int(asked):
        raise InvalidArgument(_VARIABLE, asked, "a whole number of threads, >= 1", "set it to 1 for no threads")
    return int(asked)
