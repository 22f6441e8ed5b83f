"""What is loaded or computed when it is first asked for: public names, and properties that are kept."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["cached_property", "load_later"]

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property(functools.cached_property):  # noqa: N801 - the name that it stands for
        """As functools has it from 3.12 on; before, one lock for all instances makes threads wait for each other."""

        def __init__(self, func: Callable[[Any], Any]):
            super().__init__(func)
            self.lock = nullcontext()


def load_later(package: str, rooms: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The package's `__getattr__`: the names of each room, imported from it at first use.

    A room that has the name of one of its functions never hides it, whoever imports it first.
    """
    room_of = {name: room for room, names in rooms.items() for name in names}

    class Package(ModuleType):
        def __setattr__(self, name: str, value: Any) -> None:
            if not (isinstance(value, ModuleType) and name in room_of):
                super().__setattr__(name, value)

        def __dir__(self) -> list[str]:
            names = super().__dir__()
            return sorted({*(name for name in names if name.startswith("__")), *self.__dict__.get("__all__", names)})

    def load(name: str) -> Any:
        if name not in room_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{room_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    sys.modules[package].__class__ = Package
    return load
