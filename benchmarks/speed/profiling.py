"""Where the time of a call goes: each room of the package is charged for what runs while its code is on top.

Time in NumPy and SciPy counts for the room that called them. A hook keeps the stack of rooms, so every moment is
charged once and to its real caller; cProfile knows only who calls whom, and would have to share out what has several
callers. The hook's own time is left out; what it costs to call it is not, so that many small calls weigh too much.
"""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import clear_alloc as ca

PACKAGE = Path(ca.__file__).parent


class Hook:
    """Seconds by room, for `sys.setprofile`. owner : gives the room of a module's name, or None if it has none."""

    def __init__(self, owner: Callable[[str], str | None], clock: Callable[[], float] = time.perf_counter):
        self.seconds: dict[str, float] = {}
        self._owner, self._clock = owner, clock
        self._stack: list[str | None] = [None]
        self._since = clock()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        now, stack = self._clock(), self._stack
        top = stack[-1]
        if top is not None:
            self.seconds[top] = self.seconds.get(top, 0.0) + now - self._since
        if event == "call":
            room = self._owner(frame.f_globals.get("__name__", ""))
            stack.append(top if room is None else room)  # whoever is no room works for the room that called it
        elif event == "return" and len(stack) > 1:
            stack.pop()
        self._since = self._clock()


def profiled(act: Callable[[], Any], calls: int = 1) -> dict[str, float]:
    """Seconds by room over so many calls, those of this thread."""
    hook = Hook(_room)
    try:
        sys.setprofile(hook)
        for _ in range(calls):
            act()
    finally:
        sys.setprofile(None)
    return hook.seconds


def _room(module: str) -> str | None:
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] or "__init__" if package == "clear_alloc" else None


def house_order(package: Path = PACKAGE) -> list[str]:
    """The package's rooms from the top of the house down: each stands below all that it imports."""
    needs: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        if room not in ("__init__", "__main__"):
            needs.setdefault(room, set()).update(_imported(path, package.name) - {room})
    order: list[str] = []
    while unplaced := [room for room in needs if room not in order]:
        free = [room for room in unplaced if not needs[room] & set(unplaced)]
        order += free or unplaced  # a cycle would be no reason to stop here: the tests of the house find it
    return order


def _imported(path: Path, package: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            names.add(str(node.module).split(".")[1])
    return names
