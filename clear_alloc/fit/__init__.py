"""Rollouts in, curves out: recorded completions become reasoning-utility curves, with a report."""

from clear_alloc.fit.families import FAMILIES
from clear_alloc.fit.fitting import Fitted, fit
from clear_alloc.fit.level_menus import LevelMenu, menu_of_levels
from clear_alloc.fit.report import FitReport
from clear_alloc.fit.scores import Calibration, Judgement, Score

__all__ = [
    "FAMILIES",
    "Calibration",
    "FitReport",
    "Fitted",
    "Judgement",
    "LevelMenu",
    "Score",
    "fit",
    "menu_of_levels",
]
