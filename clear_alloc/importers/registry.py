"""The importers by name, as the command line offers them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from clear_alloc.errors import InvalidArgument
from clear_alloc.files import RolloutTable
from clear_alloc.importers.anthropic_batch import from_anthropic_batch
from clear_alloc.importers.inspect_ai import from_inspect
from clear_alloc.importers.lm_eval import from_lm_eval
from clear_alloc.importers.openai_batch import from_openai_batch
from clear_alloc.importers.table import from_table

__all__ = ["IMPORTERS", "Importer"]


class Importer(NamedTuple):
    """A source of rollouts.

    read : function of a path and of `options`, and of `skip_bad_rows`.
    options : for each option, what turns its text into its value (`columns` is a mapping already).
    """

    read: Callable[..., RolloutTable]
    options: Mapping[str, Callable[[Any], Any]]

    def __call__(
        self, path: str | os.PathLike[str], options: Mapping[str, Any], skip_bad_rows: bool = False
    ) -> RolloutTable:
        """Read `path` with options given as text. `InvalidArgument` for an option that this source doesn't have."""
        values = {name: self._value(name, text) for name, text in options.items()}
        return self.read(path, skip_bad_rows=skip_bad_rows, **{**self._defaults(), **values})

    def _defaults(self) -> dict[str, None]:
        return {"scores": None} if "scores" in self.options else {}

    def _value(self, name: str, text: Any) -> Any:
        if name not in self.options:
            allowed = f"options of this importer: {', '.join(self.options)}"
            raise InvalidArgument("the option", name, allowed, "remove it or choose another importer")
        try:
            return self.options[name](text)
        except ValueError as error:
            raise InvalidArgument(f"option {name}", text, "a number", "correct it") from error


_BATCH: Mapping[str, Callable[[Any], Any]] = {"scores": str, "id_pattern": str, "cap": int}

IMPORTERS: Mapping[str, Importer] = {
    "table": Importer(from_table, {"columns": dict}),
    "inspect": Importer(from_inspect, {"scorer": str, "threshold": float}),
    "lm-eval": Importer(
        from_lm_eval, {"tokens_from": str, "metric": str, "filter": str, "threshold": float, "cap": int}
    ),
    "openai-batch": Importer(from_openai_batch, _BATCH),
    "anthropic-batch": Importer(from_anthropic_batch, _BATCH),
}
