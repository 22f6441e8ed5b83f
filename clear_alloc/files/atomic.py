"""Replace a file in one step: readers see the old content or the new, never a part."""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from clear_alloc.errors import InvalidArgument

if sys.platform != "win32":
    import fcntl

__all__ = ["check_output", "replacing"]

_TEMPORARY = re.compile(r"\.clear-alloc-\d+-[0-9a-f]{16}\.tmp")  # with the writer's process number, for people


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Binary stream whose content takes the place of `path` when the block ends without an error.

    On any error, an interrupt included, what stood at `path` is untouched and the temporary file is removed. A killed
    process leaves its temporary file; the next call for a file in the same directory removes it, except on Windows.
    A symbolic link keeps pointing where it did; an existing file keeps its mode.

    Raises
    ------
    InvalidArgument
        `path` exists and is not a regular file.
    OSError
        The directory is missing or not writable, which the error names, or the disk is full: it names `path`.
    """
    target = Path(os.path.realpath(path))
    mode = _mode_of(target)
    _remove_abandoned(target.parent)
    temporary, handle = _locked_file(target.parent)
    keeper = os.dup(handle) if sys.platform != "win32" else None  # holds the lock until the file has its name
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        if keeper is not None:
            os.close(keeper)
    _sync_directory(target.parent)


def check_output(argument: str, path: str | os.PathLike[str], **others: str | os.PathLike[str] | None) -> None:
    """`InvalidArgument` if `path`, which is to be written, is one of the other files; those that are None are passed.

    others : what the command reads, or writes too, by the name of its argument.
    """
    for name, other in others.items():
        if other is not None and _is_same(path, other):
            allowed = f"another file than {name}"
            raise InvalidArgument(argument, os.fspath(path), allowed, "choose another name, so that neither is lost")


def _is_same(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:  # one of them is yet to be made
        return os.path.realpath(one) == os.path.realpath(other)


def _mode_of(target: Path) -> int | None:
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(mode):
        allowed = "a regular file or a name not in use"
        raise InvalidArgument(f"the output {target}", stat.filemode(mode), allowed, "choose another file name")
    return stat.S_IMODE(mode)


def _locked_file(folder: Path) -> tuple[Path, int]:
    """A new file and its handle, whose lock tells others that its writer is alive."""
    # In the directory of the target, because a rename is atomic only within one file system.
    while True:
        path = folder / f".clear-alloc-{os.getpid()}-{secrets.token_hex(8)}.tmp"
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error
        if sys.platform != "win32":
            with suppress(OSError):  # a file system without locks, where nothing is removed either
                fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists():
            return path, handle
        os.close(handle)  # taken for abandoned in the moment before it was locked


def _remove_abandoned(folder: Path) -> None:
    # A lock ends with its process. Process numbers don't tell: they return, and containers share directories.
    if sys.platform == "win32":
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name):
                _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    if sys.platform == "win32":
        return
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            Path(path).unlink()
        os.close(handle)


def _sync_directory(directory: Path) -> None:
    # Makes the rename itself survive a power cut; only POSIX lets a directory be opened.
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
