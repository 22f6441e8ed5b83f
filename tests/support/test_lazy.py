"""What is loaded and computed at first use."""

from __future__ import annotations

import functools
import threading

import clear_alloc as ca
from clear_alloc.support import lazy, parallel


class Slow:
    """A property that waits until another instance computes it too."""

    barrier = threading.Barrier(2)

    def __init__(self):
        self.times = 0

    @lazy.cached_property
    def answer(self):
        """The answer."""
        self.times += 1
        self.barrier.wait(timeout=20)
        return 42


def test_two_threads_compute_a_property_of_two_objects_at_once():
    things = [Slow(), Slow()]
    threads = [threading.Thread(target=lambda thing=thing: thing.answer) for thing in things]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [thing.answer for thing in things] == [42, 42]
    assert [thing.times for thing in things] == [1, 1]


def test_a_kept_property_is_that_of_functools():
    assert issubclass(lazy.cached_property, functools.cached_property)
    assert parallel.cached_property is lazy.cached_property
    assert Slow.answer.__doc__ == "The answer."
    assert Slow.answer.attrname == "answer"


def test_dir_lists_the_public_names_and_no_rooms():
    listed = dir(ca)
    assert [name for name in listed if not name.startswith("__")] == list(ca.__all__)
    assert {"__version__", "__doc__", "__file__", "__path__", "__all__"} <= set(listed)
