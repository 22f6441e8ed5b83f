"""The only place where outside data is trusted or refused."""

from clear_alloc.schema.bulk import AMOUNTS, LISTS, TEXTS, WHOLE, Column, suspects
from clear_alloc.schema.queries import OPTIONAL, PARAMETERS, Query, QueryRow
from clear_alloc.schema.refusing import refusal
from clear_alloc.schema.rows import CapRow, GroupRow, RolloutRow, ScoreRow

__all__ = [
    "AMOUNTS",
    "LISTS",
    "OPTIONAL",
    "PARAMETERS",
    "TEXTS",
    "WHOLE",
    "CapRow",
    "Column",
    "GroupRow",
    "Query",
    "QueryRow",
    "RolloutRow",
    "ScoreRow",
    "refusal",
    "suspects",
]
