"""The command line. `main` runs without the extra `cli` too, if only to say how to install it."""

from clear_alloc.cli.entry import main

__all__ = ["main"]
