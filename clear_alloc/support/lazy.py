"""Public names whose modules are loaded when they are first asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

__all__ = ["load_later"]


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
            return sorted({*super().__dir__(), *room_of})

    def load(name: str) -> Any:
        if name not in room_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{room_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    sys.modules[package].__class__ = Package
    return load
