"""Reasoning-utility curves: the value of a query's answer against the tokens that it may use."""

from clear_alloc.columns.validate import MAX_TOKENS
from clear_alloc.curves.base import (
    CEILING_SHORTFALL,
    Accounting,
    Curves,
    Rows,
    Smooth,
    checked_accounting,
    checked_price,
)
from clear_alloc.curves.charged import Charged
from clear_alloc.curves.cumulative_surge import CumulativeSurge
from clear_alloc.curves.envelope import Steps, envelope
from clear_alloc.curves.lognormal import LognormalArrival
from clear_alloc.curves.menu import Menu
from clear_alloc.curves.mixed import FAMILIES, CurveRecord, Mixed, concatenate, from_records
from clear_alloc.curves.residual import Residual
from clear_alloc.curves.shifted_surge import ShiftedSurge
from clear_alloc.curves.tangent import steepest_chord
from clear_alloc.support.types import Array

__all__ = [
    "CEILING_SHORTFALL",
    "FAMILIES",
    "MAX_TOKENS",
    "Accounting",
    "Array",
    "Charged",
    "CumulativeSurge",
    "CurveRecord",
    "Curves",
    "LognormalArrival",
    "Menu",
    "Mixed",
    "Residual",
    "Rows",
    "ShiftedSurge",
    "Smooth",
    "Steps",
    "checked_accounting",
    "checked_price",
    "concatenate",
    "envelope",
    "from_records",
    "steepest_chord",
]
