"""Pictures of the report are drawn small."""

from __future__ import annotations

import pytest

from benchmarks.common import figures


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    monkeypatch.setattr(figures, "DPI", 30)
