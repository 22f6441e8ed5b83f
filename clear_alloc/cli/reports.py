"""Reports of a fit on disk: JSON, or the picture of its calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clear_alloc.cli.show import as_json
from clear_alloc.errors import InvalidArgument
from clear_alloc.files import replacing
from clear_alloc.fit import Fitted, Judgement
from clear_alloc.plots import plot_calibration
from clear_alloc.support.optional import optional

__all__ = ["check_reports", "judgement_for", "write_reports"]

_PICTURES = (".png", ".svg", ".pdf")


def check_reports(paths: Sequence[Path]) -> list[Path]:
    """The paths, if each has a suffix that can be written; before hours of work, not after."""
    for path in paths:
        suffix = path.suffix.lower()
        if suffix not in (".json", *_PICTURES):
            raise InvalidArgument("--report", str(path), f".json, {', '.join(_PICTURES)}", "rename the report")
        if suffix in _PICTURES:
            optional("matplotlib.figure", "plot", "drawing the report")
    return list(paths)


def judgement_for(paths: Sequence[Path], fitted: Fitted) -> Judgement | None:
    """What the pictures among the reports show; an error, before anything is written, where there is no telling."""
    return fitted.judge() if any(path.suffix.lower() in _PICTURES for path in paths) else None


def write_reports(paths: Sequence[Path], content: Mapping[str, Any], judgement: Judgement | None) -> None:
    """Write each report, the old one or the new one whatever happens."""
    for path in paths:
        if path.suffix.lower() == ".json":
            with replacing(path) as stream:
                stream.write(as_json(content).encode())
        elif judgement is not None:
            plot_calibration(judgement, path)
