"""What a log of Inspect AI holds, before inspect-ai reads it: bounded in size and depth, each key once.

inspect-ai unpacks whatever a `.eval` file, a zip archive, promises, and keeps the last of equal keys.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clear_alloc.errors import ClearAllocError, InvalidArgument
from clear_alloc.files import parse_json

__all__ = ["check_content", "reading"]

_MEMBER, _WHOLE = 4 << 20, 64 << 20  # bytes to which a member and the whole may always unpack
_RATIO = 100  # and else at most so many times what they are packed; transcripts come to 10 or 30
_STEP = 4096  # bytes; zipfile unpacks at once what it reads at once, whatever that comes to


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turns whatever a foreign reader raises within the block into `InvalidArgument`; of the system's, nothing."""
    try:
        yield
    except (ClearAllocError, OSError, MemoryError):
        raise
    except Exception as error:
        # The reader's own checks are asserts, and its errors those of six libraries.
        detail = (str(error) or type(error).__name__).partition("\n")[0][:200]
        remedy = f"write the log again, or read it with inspect-ai to see more ({detail})"
        raise InvalidArgument(f"the content of {file}", "not a log", "a log of Inspect AI", remedy) from error


def check_content(file: Path) -> None:
    """InvalidArgument unless a log is JSON, or an archive of it, within bounds. OSError. O(bytes unpacked)."""
    with reading(file):
        if file.suffix.lower() == ".json":
            parse_json(file.read_bytes())
            return
        with zipfile.ZipFile(file) as archive:
            _check_members(archive, max(_WHOLE, _RATIO * file.stat().st_size))


def _check_members(archive: zipfile.ZipFile, room: int) -> None:
    for member in archive.infolist():
        content = _unpacked(archive, member, min(room, max(_MEMBER, _RATIO * member.compress_size)))
        room -= len(content)
        if member.filename.endswith(".json"):
            parse_json(content)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    content = bytearray()
    with archive.open(member) as stream:
        while step := stream.read(_STEP):
            content += step
            if len(content) > limit:
                raise ValueError(f"it unpacks to more than {_RATIO} times its size, as no transcript does")
    return bytes(content)
