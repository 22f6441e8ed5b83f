"""The tolerances that tests share; each is named once and tied to a scale."""

from __future__ import annotations

ROUNDING = 1e-12  # relative: sums and elementary functions in double precision
SATURATION = 1e-9  # of the top: what lies beyond a ceiling, since two families never reach their top
SUBTOKEN = 1e-9  # a cap this close to a whole number counts as that number; a share of utility besides
PRICE_GRID = 2.0**-39  # relative: two neighbours of the price grid
