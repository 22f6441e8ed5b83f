"""Replace a file in one step: readers see the old content or the new, never a part."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from clear_alloc.errors import InvalidArgument

__all__ = ["replacing"]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Binary stream whose content takes the place of `path` when the block ends without an error.

    On any error, an interrupt included, what stood at `path` is untouched and the temporary file is removed.
    A symbolic link keeps pointing where it did; an existing file keeps its mode.

    Raises
    ------
    InvalidArgument
        `path` exists and is not a regular file.
    OSError
        The directory is missing, full or not writable.
    """
    target = Path(os.path.realpath(path))
    mode = _mode_of(target)
    # In the same directory, because a rename is atomic only within one file system.
    temporary = target.with_name(f".clear-alloc-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)


def _mode_of(target: Path) -> int | None:
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        allowed = "a regular file or a name not in use"
        raise InvalidArgument(f"the output {target}", stat.filemode(mode), allowed, "choose another file name")
    return stat.S_IMODE(mode)


def _sync_directory(directory: Path) -> None:
    # Makes the rename itself survive a power cut; only POSIX lets a directory be opened.
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
