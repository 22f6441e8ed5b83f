"""What every test needs before it is collected: the profile of hypothesis."""

from __future__ import annotations

from support.laws import load_profile

load_profile()
