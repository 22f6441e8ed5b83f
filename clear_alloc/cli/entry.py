"""Where a command starts and ends: exit codes, and one sentence on stderr instead of a traceback."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from clear_alloc.cli.streams import open_streams, print_out, silence_stdout
from clear_alloc.errors import AuditFailed, ClearAllocError, PriceNotConverged, printable
from clear_alloc.support.optional import optional

__all__ = ["BAD_INPUT", "INTERNAL", "INTERRUPTED", "OK", "main"]

OK, INTERNAL, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_LONGEST = 2000  # letters of a sentence on stderr


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done. 2: bad input or a missing extra. 130: interrupted. 1: a promise of the library broke, or whoever
    read stdout went away. An output file is whole, the old one or the new one, whatever the code.

    arguments : words of the command line without the program's name; those of the process by default.
    """
    open_streams()
    try:
        code = _run(sys.argv[1:] if arguments is None else list(arguments))
        print_out("")  # what typer wrote is flushed here
    except BrokenPipeError:
        silence_stdout()
        return INTERNAL
    except (AuditFailed, PriceNotConverged) as error:
        return _say(str(error), INTERNAL)
    except ClearAllocError as error:
        return _say(str(error), BAD_INPUT)
    except OSError as error:
        return _say(_file_sentence(error), BAD_INPUT)
    except KeyboardInterrupt:
        code = INTERRUPTED
    return _say("interrupted; no file was changed", code) if code == INTERRUPTED else code


def _run(arguments: list[str]) -> int:
    typer = optional("typer", "cli", "the command line")
    optional("rich", "cli", "the command line")
    from clear_alloc.cli.commands import app  # typer stands at the top of that module

    try:
        code = app(args=arguments, prog_name="clear-alloc", standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except _usage_error(typer) as error:
        message: str = error.format_message()  # type: ignore[attr-defined]
        return _say(f"{message} (see clear-alloc --help)", BAD_INPUT)
    return code if isinstance(code, int) else OK


def _usage_error(typer: object) -> type[Exception]:
    # typer brought click along under its own name from 0.26 on.
    own: type[Exception] | None = getattr(typer, "TyperException", None)
    if own is not None:
        return own
    outer: type[Exception] = optional("click", "cli", "the command line").ClickException
    return outer


def _file_sentence(error: OSError) -> str:
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what


def _say(sentence: str, code: int) -> int:
    with suppress(BrokenPipeError):
        print(f"clear-alloc: {printable(' '.join(sentence.split()), _LONGEST)}", file=sys.stderr)  # noqa: T201
    return code
