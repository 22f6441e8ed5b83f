"""The only place where outside data is trusted or refused."""

from clear_alloc.schema.bulk import LISTS, TEXTS, WHOLE, Column, suspects
from clear_alloc.schema.rows import PARAMETERS, CapRow, Query, QueryRow, RolloutRow, ScoreRow, refusal

__all__ = [
    "LISTS",
    "PARAMETERS",
    "TEXTS",
    "WHOLE",
    "CapRow",
    "Column",
    "Query",
    "QueryRow",
    "RolloutRow",
    "ScoreRow",
    "refusal",
    "suspects",
]
