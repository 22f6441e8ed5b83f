"""One log of Inspect AI, read by inspect-ai: its header, then its samples, few of an archive's at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from clear_alloc.files import BadRowPolicy
from clear_alloc.importers.log_content import check_content, reading

__all__ = ["InspectLog"]

_UNUSED = {"messages", "store", "attachments", "timelines"}
_HEAVY = {"events", "events_data"}
_AT_ONCE = 256  # samples in memory

Key = tuple[str, int]  # the text of a sample's id, and its epoch


class InspectLog:
    """A log at `file`, whose content is checked and whose header is read by `library`, `inspect_ai.log`.

    task, model, status : as the header names them. task_id : the same for a run and its retries.
    max_tokens : limit of a call, token, where the run or its model sets one.
    """

    def __init__(self, library: Any, file: Path):
        check_content(file)
        with reading(file):
            header = library.read_eval_log(str(file), header_only=True)
            spec, planned = header.eval, header.plan.config.max_tokens
            self.task, self.task_id, self.model = str(spec.task), spec.task_id, str(spec.model)
            self.max_tokens = spec.model_generate_config.max_tokens if planned is None else planned
            self.status: str = header.status
            names, epochs = spec.dataset.sample_ids or [], spec.config.epochs or 1
        self._keys: list[Key] = [(str(name), epoch) for name in names for epoch in range(1, epochs + 1)]
        self._library, self.file, self._packed = library, file, file.suffix.lower() == ".eval"

    def samples(self, refuse: BadRowPolicy) -> Iterator[tuple[int, Any]]:
        """Row and content of each sample; `refuse` hears of those that the header lists and the log lacks."""
        held = self._held()
        rows: dict[Key, int] = {}
        for key in (*self._keys, *held):  # logs of old versions don't list their samples
            rows.setdefault(key, len(rows) + 1)
        there = [key for key in rows if key in held]
        for start in range(0, len(there), _AT_ONCE):
            batch = there[start : start + _AT_ONCE]
            yield from zip((rows[key] for key in batch), self._read([held[key] for key in batch]), strict=True)
        # An interrupted run has finished its short samples and lost the long ones, so its gaps are not harmless.
        for (name, epoch), row in rows.items():
            if (name, epoch) not in held:
                reason = f"it is not in the log, whose status is {self.status!r}; finish the run (inspect eval-retry)"
                refuse(self.file, row, f"sample {name!r}, epoch {epoch}: {reason}")

    def events(self, sample: Any) -> Sequence[Any]:
        """What happened in a sample, with the calls of models."""
        if not self._packed:
            return list(sample.events)
        with reading(self.file):
            again = self._library.read_eval_log_sample(
                str(self.file), sample.id, sample.epoch, exclude_fields=_UNUSED
            )
            return list(again.events)

    def _held(self) -> dict[Key, Any]:
        """Each sample that is there: of an archive its summary, of JSON, which is read at once, all of it."""
        with reading(self.file):
            # Asked for samples one by one, inspect-ai keeps a log in JSON by its path, though the file may change.
            read = self._library.read_eval_log_sample_summaries if self._packed else self._library.read_eval_log
            found = read(str(self.file))
            return {(str(s.id), s.epoch): s for s in (found if self._packed else found.samples or [])}

    def _read(self, found: list[Any]) -> list[Any]:
        if not self._packed:
            return found
        keys = [(summary.id, summary.epoch) for summary in found]
        with reading(self.file):
            unused = _UNUSED | _HEAVY
            return list(self._library.read_eval_log_samples_by_id(str(self.file), keys, exclude_fields=unused))
