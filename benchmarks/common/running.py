"""Running what may fail: whatever it raises becomes a row, so that the others go on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

_FOLDERS = re.compile(r"(?<![\w:/])(?:[A-Za-z]:)?[\\/](?:[^\s\\/'\",:;()]+[\\/])+")  # of an absolute path
Found = TypeVar("Found")
Failed = TypeVar("Failed")


def attempted(act: Callable[[], Found], failed: Callable[[str], Failed]) -> Found | Failed:
    """What `act` gives or, if it raises, what `failed` makes of the error in one line. A stop from outside passes."""
    try:
        return act()
    except Exception as error:  # noqa: BLE001 - anything may go wrong, and the row says what
        return failed(error_line(error))


def error_line(error: BaseException) -> str:
    """An error in one line, its paths without their folders: a row is to be read on other machines."""
    return f"{type(error).__name__}: {_FOLDERS.sub('', ' '.join(str(error).split()))}"
