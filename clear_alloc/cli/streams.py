"""The streams of the process: closed before the start, closed or full while a command writes, in any encoding."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["open_streams", "print_out", "silence_stdout"]


def open_streams() -> None:
    """Streams that were closed before the start swallow what they get; others escape what they can't encode."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Nothing more is written; Python flushes on its way out, and would complain of a closed pipe or a full disk."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_out(text: str, utf8: bool = False) -> None:
    """Write to stdout and flush. An OSError names stdout. utf8 : whatever the stream's own encoding is."""
    with _naming_stdout():
        if utf8 and hasattr(sys.stdout, "buffer"):
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode())
        else:
            sys.stdout.write(text)
        sys.stdout.flush()


@contextmanager
def _naming_stdout() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        silence_stdout()
        error.filename = "stdout"
        raise
