"""Rollouts in, curves out: recorded completions become reasoning-utility curves, with a report."""

from clear_alloc.fit.families import FAMILIES
from clear_alloc.fit.fitting import Fitted, fit
from clear_alloc.fit.judgement import Calibration, Judgement, Score
from clear_alloc.fit.levels import LevelMenu, menu_of_levels
from clear_alloc.fit.report import FitReport

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
