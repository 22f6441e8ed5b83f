"""Blocks over threads: how many, nested, when the interpreter ends, where no thread is to be had, after a fork."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc.support import parallel

MANY = """
import threading, time
import numpy as np
import clear_alloc as ca

n = 150_000
curves = ca.LognormalArrival(np.linspace(100, 900, n), 0.5, 0.8)

def run(when=""):
    result = ca.allocate(curves, 20_000_000)
    result.audit()
    print(when, int(result.tokens.sum()), flush=True)
"""
AFTER_MAIN = """
def late():
    threading.main_thread().join()
    time.sleep(0.1)
    run("late")
threading.Thread(target=late).start()
"""
AT_EXIT = """
import atexit
atexit.register(run, "exit")
"""


@pytest.mark.parametrize("warm", ["", "run('early')\n"], ids=["cold", "warm"])
@pytest.mark.parametrize("ending", [AFTER_MAIN, AT_EXIT], ids=["thread after main", "at exit"])
def test_an_ending_interpreter_still_allocates(ending, warm):
    environment = {**os.environ, "CLEAR_ALLOC_THREADS": "2"}
    command = [sys.executable, "-W", "error", "-c", MANY + ending + warm]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert len({line.split()[-1] for line in done.stdout.splitlines()}) == 1
    assert done.stdout.splitlines()[-1].startswith("late" if "late" in ending else "exit")


class NoThreads:
    """A pool that the system gives no threads."""

    def map(self, *_):
        raise RuntimeError("can't start new thread")


def test_without_threads_the_blocks_run_one_after_the_other(monkeypatch):
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "3")
    monkeypatch.setattr(parallel, "_pool", lambda _: NoThreads())
    assert parallel.each(lambda part: part + 1, [1, 2, 3]) == [2, 3, 4]


def test_an_error_of_a_block_is_the_caller_s(monkeypatch):
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "2")
    tried = []

    def act(part):
        tried.append(part)
        raise RuntimeError("of the work")

    with pytest.raises(RuntimeError, match="of the work"):
        parallel.each(act, [1, 2])
    assert len(set(tried)) == len(tried)


def test_answers_come_in_the_order_of_the_blocks(monkeypatch):
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "2")
    n = 3 * parallel.BLOCK + 1
    slices = parallel.each_block(lambda rows: rows, n)
    assert np.concatenate([np.arange(n)[rows] for rows in slices]).tolist() == list(range(n))
    assert [rows.start for rows in slices] == [0, parallel.BLOCK, 2 * parallel.BLOCK, 3 * parallel.BLOCK]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_makes_threads_of_its_own():
    code = (
        "import os, warnings; warnings.simplefilter('ignore'); from clear_alloc.support.parallel import each\n"
        "each(abs, [1, 2])\n"
        "child = os.fork()\n"
        "if not child: os._exit(each(abs, [-3, -4]) != [3, 4])\n"
        "os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    environment = {**os.environ, "CLEAR_ALLOC_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)


def test_the_number_of_threads_is_judged(monkeypatch):
    for bad in ("0", "-1", "two", "1.5", "²"):
        monkeypatch.setenv("CLEAR_ALLOC_THREADS", bad)
        with pytest.raises(ca.InvalidArgument, match="CLEAR_ALLOC_THREADS"):
            parallel.each(abs, [1, 2])
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "2")
    assert parallel.each(abs, range(-5, 0)) == [5, 4, 3, 2, 1]


def test_threads_within_threads_wait_for_nobody(monkeypatch):
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "2")
    inner = parallel.each(lambda k: sum(parallel.each(lambda j: 10 * k + j, range(4))), range(6))
    assert inner == [40 * k + 6 for k in range(6)]
