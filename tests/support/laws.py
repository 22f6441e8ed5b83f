"""How many examples a law of hypothesis takes: one place decides for every test."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

DEV_EXAMPLES = 20
USUAL = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}  # a busy machine is no failure


def load_profile():
    """`ci` takes the examples that each law asks for, `dev` at most 20; the environment chooses, `ci` by default.

    `ci` keeps no database of examples, so that a checkout without write permission gives no warning.
    """
    settings.register_profile("ci", database=None, print_blob=True, **USUAL)
    settings.register_profile("dev", max_examples=DEV_EXAMPLES, **USUAL)
    settings.load_profile(os.environ.get("CLEAR_ALLOC_TEST_PROFILE", "ci"))


def examples(number, *suppressed):
    """The settings of a law that asks for a number of examples and suppresses some health checks."""
    dev = settings.get_current_profile_name() == "dev"
    checks = [*USUAL["suppress_health_check"], *suppressed]
    return settings(max_examples=min(number, DEV_EXAMPLES) if dev else number, suppress_health_check=checks)
