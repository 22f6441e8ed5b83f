"""Errors between processes, and texts that others wrote inside their messages."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clear_alloc as ca
from clear_alloc import errors
from clear_alloc.errors import printable

CLASSES = [
    thing
    for _, thing in inspect.getmembers(errors, inspect.isclass)
    if issubclass(thing, errors.ClearAllocError) and thing.__module__ == errors.__name__
]
ONE_OF_EACH = {
    errors.ClearAllocError: ("a message",),
    errors.InvalidArgument: ("median", [1.5, -2.0], "above 0", "correct it", 3),
    errors.BudgetTooSmall: (12_400.0, 10_000.0, "min_tokens in group 'a'", "tokens"),
    errors.TooLarge: (1e9, 1e6, "use allocate"),
    errors.NotSupported: ("accounting='expected' needs lengths",),
    errors.PriceNotConverged: (1e-3, 2e-3, 400),
    errors.AuditFailed: ("caps sum to at most 9 tokens", "they sum to 10"),
    errors.BadRow: ("curves.jsonl", 7, "median is -1.0; allowed: above 0"),
}
WAYS = {
    **{f"pickle {p}": lambda error, p=p: pickle.loads(pickle.dumps(error, p)) for p in range(6)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def fail(kind, arguments):
    raise kind(*arguments)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickle_and_copy(kind, way):
    error = kind(*ONE_OF_EACH[kind])
    error.add_note("seen twice")
    found = way(error)
    assert type(found) is kind
    assert (str(found), found.args) == (str(error), error.args)
    assert found.__dict__ == error.__dict__
    assert found.__notes__ == ["seen twice"]


def test_every_error_comes_back_from_another_process():
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        waiting = [(kind, pool.submit(fail, kind, ONE_OF_EACH[kind])) for kind in CLASSES]
        for kind, future in waiting:
            with pytest.raises(kind) as caught:
                future.result(timeout=60)
            same = kind(*ONE_OF_EACH[kind])
            assert (str(caught.value), vars(caught.value)) == (str(same), vars(same))


class Unreadable:
    """Pickles, but can't be read again."""

    def __reduce__(self):
        return fail, (ValueError, ("no",))

    def __repr__(self):
        return "<unreadable>"


@pytest.mark.parametrize("value", [threading.Lock(), lambda: 0, Unreadable()], ids=["lock", "lambda", "unreadable"])
def test_a_value_that_no_process_can_read_travels_as_its_text(value):
    error = ca.InvalidArgument("ids", value, "strings", "pass strings", 2)
    found = pickle.loads(pickle.dumps(error))
    assert (str(found), found.row, found.remedy) == (str(error), 2, "pass strings")
    assert found.value == str(error).removeprefix("ids[2] is ").partition("; allowed")[0]


# Letters of every kind that is dangerous on a terminal beside ordinary ones.
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("\x00\x07\x1b[]31m\x7f\x9b\u202e\u2066\u2028\n\r\ud800")))
LONG = st.builds(str.__mul__, TEXTS, st.sampled_from([1, 3, 1000]))


@given(LONG, LONG, LONG, LONG)
def test_no_text_of_others_reaches_the_terminal_raw(first, second, third, fourth):
    raised = [
        ca.InvalidArgument(first, second, third, fourth),
        ca.InvalidArgument(first, [second, {third: fourth}], third, fourth, 5),
        ca.BadRow(first, 1, second),
        ca.AuditFailed(first, second),
        ca.BudgetTooSmall(2.0, 1.0, first),
        ca.NotSupported(first),
        ca.TooLarge(2.0, 1.0, first),
    ]
    for error in raised:
        for text in (
            str(error),
            *(value for name, value in vars(error).items() if type(value) is str and name != "value"),
        ):
            assert text.isprintable()
            assert len(text) <= 2000


@given(LONG, st.integers(20, 300))
def test_printable_text_is_bounded_and_ordinary_text_stays(text, limit):
    found = printable(text, limit)
    assert found.isprintable()
    assert len(found) <= limit
    if text.isprintable() and len(text) <= limit:
        assert found == text


def test_what_is_left_out_of_a_long_text_is_its_middle():
    found = printable(f"start {'x' * 5000} end", 100)
    assert found.startswith("start xxx")
    assert found.endswith("xxx end")
    assert len(found) == 100


class Broken:
    """A value that can't even be looked at."""

    @property
    def item(self):
        raise ZeroDivisionError


NESTED = []
for _ in range(100_000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.float64(-1.5), "-1.5"),
        (np.array(3), "3"),
        (float("nan"), "nan"),
        ("two words", "'two words'"),
        (np.str_("\x1b[31m"), r"'\x1b[31m'"),
        (b"\x00" * 3, r"b'\x00\x00\x00'"),
        ({"b": 1, "a": 2}, "{'b': 1, 'a': 2}"),
        (10**30, "1" + "0" * 30),
        (10**5000, "an integer of 16610 bits"),
        (Broken(), "a Broken"),
        (NESTED, "[[[[...]]]]"),
        (list(range(15)), str(list(range(15)))),
    ],
    ids=lambda part: type(part).__name__,
)
def test_a_value_is_shown_as_its_short_repr(value, shown):
    assert str(ca.InvalidArgument("a", value, "b", "c")) == f"a is {shown}; allowed: b; c"


LARGE = {
    "text": "x\x1b" * 10**6,
    "bytes": b"\x00" * 2 * 10**6,
    "list": list(range(10**6)),
    "dict": {str(k): k for k in range(10**5)},
    "texts": ["y" * 10**6] * 3,
    "set": set(range(10**5)),
    "nested": [[[[*range(50)] for _ in range(50)] for _ in range(50)]],
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_value_costs_no_time_and_no_memory(name):
    tracemalloc.start()
    try:
        start = time.perf_counter()
        message = str(ca.InvalidArgument("a", LARGE[name], "b", "c"))
        taken, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(message) < 120
    assert taken < 0.2
    assert peak < 10**6 or name == "set"  # reprlib sorts a set
