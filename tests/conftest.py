"""Hypothesis profiles: `ci` takes the examples that each law asks for, `dev` at most 20 of them."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", deadline=None)
settings.register_profile("dev", deadline=None, max_examples=20)
settings.load_profile(os.environ.get("CLEAR_ALLOC_TEST_PROFILE", "ci"))
