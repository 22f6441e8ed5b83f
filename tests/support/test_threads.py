"""Blocks on threads: how many, errors, threads within threads, forks."""

from __future__ import annotations

import os
import signal
import time

import pytest

import clear_alloc as ca
from clear_alloc.support import parallel as blocks


def test_the_number_of_threads_is_judged(monkeypatch):
    for bad in ("0", "-1", "two", "1.5", "²"):
        monkeypatch.setenv("CLEAR_ALLOC_THREADS", bad)
        with pytest.raises(ca.InvalidArgument, match="CLEAR_ALLOC_THREADS"):
            blocks.each(abs, [1, 2])
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "2")
    assert blocks.each(abs, range(-5, 0)) == [5, 4, 3, 2, 1]


def test_an_error_in_a_block_reaches_the_caller():
    def act(part):
        if part == 3:
            raise ValueError("part 3")
        return part

    with pytest.raises(ValueError, match="part 3"):
        blocks.each(act, range(6))


def test_threads_within_threads_wait_for_nobody(monkeypatch):
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "2")
    inner = blocks.each(lambda k: sum(blocks.each(lambda j: 10 * k + j, range(4))), range(6))
    assert inner == [40 * k + 6 for k in range(6)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(monkeypatch):
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "2")
    assert blocks.each(abs, [-1, -2, -3]) == [1, 2, 3]
    child = os.fork()
    if not child:
        os._exit(0 if blocks.each(abs, [-1, -2, -3]) == [1, 2, 3] else 1)
    for _ in range(300):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the forked process hangs")
