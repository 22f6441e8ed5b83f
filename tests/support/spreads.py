"""Spreads of every kind, and rows that are asked one by one."""

from __future__ import annotations

import numpy as np

SPREADS = (1e-9, 1e-6, 1e-3, 0.02, 0.1, 0.15, 0.157, 0.1585, 0.16, 0.165, 0.2, 0.45, 0.8, 1.3, 2.0, 4.0, 9.0, 20.0)


def one_by_one(act, *columns):
    return np.concatenate([act(*(column[k : k + 1] for column in columns)) for k in range(len(columns[0]))])
