"""What is allowed is said with the bounds that hold."""

from __future__ import annotations

import pytest
from support.rows import ROLLOUT, refused

from clear_alloc.schema import CapRow, GroupRow, QueryRow, RolloutRow, ScoreRow
from clear_alloc.schema.kinds import MOST
from clear_alloc.schema.words import NO_MORE


@pytest.mark.parametrize("model", [CapRow, GroupRow, QueryRow, RolloutRow, ScoreRow])
def test_every_field_says_what_it_takes(model):
    assert all(field.description for field in model.model_fields.values())


def test_the_largest_count_is_named_as_it_is():
    assert f"{MOST:,}" in NO_MORE
    assert RolloutRow(**{**ROLLOUT, "tokens": MOST}).tokens == MOST
    assert NO_MORE in refused(RolloutRow, **{**ROLLOUT, "tokens": MOST + 1})
