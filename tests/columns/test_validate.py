"""Whether values lie within two ends."""

from __future__ import annotations

import numpy as np

from clear_alloc.columns.validate import within


def test_within_holds_for_the_ends_and_never_for_nan():
    assert within(np.array([1.0, 2.0]), 1.0, 2.0)
    assert not within(np.array([np.nextafter(1.0, 0), 2.0]), 1.0, 2.0)
    assert not within(np.array([1.0, np.nextafter(2.0, 3)]), 1.0, 2.0)
    assert not within(np.array([1.5, np.nan]), 1.0, 2.0)
    assert within(np.empty(0), 1.0, 2.0)
