"""Optional dependencies, imported where they are used, so that `import clear_alloc` stays light."""

from __future__ import annotations

import importlib
from typing import Any

from clear_alloc.errors import NotSupported

__all__ = ["optional"]


def optional(module: str, extra: str, purpose: str) -> Any:
    """The module of that name, or `NotSupported` with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise NotSupported(
            f"{purpose} needs {package}, which is not installed; run: pip install 'clear-alloc[{extra}]'"
        ) from error
