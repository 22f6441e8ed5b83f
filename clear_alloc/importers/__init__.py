"""Evaluation logs into rollouts, ready for `clear_alloc.fit`. One function per source, all with the same result.

from clear_alloc import fit, importers

fitted = fit(importers.from_inspect("logs/gpqa.eval"))
"""

from clear_alloc.importers.anthropic_batch import from_anthropic_batch
from clear_alloc.importers.batches import SAMPLE_NUMBER
from clear_alloc.importers.inspect_ai import from_inspect
from clear_alloc.importers.lm_eval import from_lm_eval
from clear_alloc.importers.openai_batch import from_openai_batch
from clear_alloc.importers.registry import IMPORTERS, Importer
from clear_alloc.importers.table import from_table

__all__ = [
    "IMPORTERS",
    "SAMPLE_NUMBER",
    "Importer",
    "from_anthropic_batch",
    "from_inspect",
    "from_lm_eval",
    "from_openai_batch",
    "from_table",
]
