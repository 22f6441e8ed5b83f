"""What every test needs before it is collected: the profile of hypothesis, and asserts that show their values."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("support", "oracles")

from support.laws import load_profile  # noqa: E402  the line above comes first

load_profile()
