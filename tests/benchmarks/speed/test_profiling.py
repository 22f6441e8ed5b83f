"""Every moment is charged to the room on top."""

from __future__ import annotations

import sys
from types import FunctionType

import pytest
from architecture.test_imports import INSIDE, imported_modules, room_of
from support.speed_rows import Clock

from benchmarks.speed.profiling import Hook, house_order

MODULES = ("elsewhere", "clear_alloc.first", "clear_alloc.second.part", "numpy.somewhere")


now = None  # the clock of the four below, once they are put into their modules


def begin():
    now.passes(1000.0)
    act()
    now.passes(1000.0)


def act():
    now.passes(1.0)
    helped()
    try:
        fail()
    except KeyError:
        now.passes(20.0)


def fail():
    now.passes(5.0)
    helped()
    raise KeyError


def helped():
    now.passes(3.0)


def test_every_moment_is_charged_to_the_room_on_top():
    now = Clock()
    modules = dict(zip((begin, act, fail, helped), MODULES, strict=True))

    def placed(act):  # the function, as though it stood in another module
        own = {**globals(), "__name__": modules[act], "now": now}
        own.update({other.__name__: own_of.get(other, other) for other in modules})
        own_of[act] = FunctionType(act.__code__, own)

    own_of = {}
    for act_of in (helped, fail, act, begin):
        placed(act_of)

    def room(module):
        now.passes(100.0)  # the hook's own time, between its two looks at the clock
        return module.split(".")[1] if module.startswith("clear_alloc.") else None

    hook = Hook(room, now)
    sys.setprofile(hook)
    own_of[begin]()
    sys.setprofile(None)
    assert hook.seconds == {"first": 24.0, "second": 8.0}


@pytest.mark.slow
def test_rooms_are_in_the_order_of_the_house():
    place = {room: at for at, room in enumerate(house_order())}
    assert set(place) == {room_of(path) for path in INSIDE}

    for path in INSIDE:
        for other, deferred in imported_modules(path):
            room = other.split(".")[1]
            assert deferred or room == room_of(path) or place[room] < place[room_of(path)]


def test_a_cycle_of_rooms_is_no_reason_to_go_on_for_ever(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    texts = {
        "a": "from package.b import x",
        "b": "from package import a",
        "c": "",
        "d": "from package.c.own import y",
    }
    for name, text in texts.items():
        (package / f"{name}.py").write_text(text)
    assert house_order(package) == ["c", "d", "a", "b"]
