"""Reasoning counted once: inside or apart by the total, refused where the total leaves it open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clear_alloc.importers.records import RecordRejected
from clear_alloc.importers.usage import generated_tokens, tokens_with_reasoning_inside

counts = st.integers(1, 10**6)


@given(counts, counts, counts)
def test_reasoning_apart_is_added_and_reasoning_inside_is_not(prompt, output, reasoning):
    assert generated_tokens(output, reasoning, prompt + output + reasoning, prompt) == (output + reasoning, "")
    inside = min(output, reasoning)
    assert generated_tokens(output, inside, prompt + output, prompt) == (output, "")


@pytest.mark.parametrize("reasoning", [None, 0])
@pytest.mark.parametrize("total", [None, 0, 70, 60])
def test_without_reasoning_the_output_is_all(reasoning, total):
    assert generated_tokens(20, reasoning, total, 50) == (20, "")


def test_tokens_read_from_a_cache_may_be_inside_the_prompt_or_beside_it():
    assert generated_tokens(20, 500, 570, 50, 90).tokens == 520
    assert generated_tokens(20, 500, 610, 50, 90).tokens == 520
    assert generated_tokens(20, 15, 110, 50, 90).tokens == 20
    with pytest.raises(RecordRejected, match="don't tell whether the one is inside"):
        generated_tokens(60, 40, 150, 50, 90)  # 50 + 60 + 40 as well as 90 + 60


@pytest.mark.parametrize("total", [60, 71, 10**6])
def test_where_the_total_fits_neither_reading_the_record_is_refused(total):
    with pytest.raises(
        RecordRejected, match=r"20 output and 15 reasoning tokens beside a prompt of 50.*leave it out"
    ):
        generated_tokens(20, 15, total, 50)


@pytest.mark.parametrize(("total", "prompt"), [(None, 50), (0, 50), (70, None), (None, None)])
def test_without_a_total_of_prompt_and_output_reasoning_is_inside_with_a_note(total, prompt):
    tokens, note = generated_tokens(20, 15, total, prompt)
    assert tokens == 20
    assert "have no total of prompt and output" in note


@pytest.mark.parametrize("total", [None, 0, 100, 10**6])
def test_reasoning_larger_than_the_output_is_apart_with_a_note(total):
    tokens, note = generated_tokens(20, 500, total, 50)
    assert tokens == 520
    assert "the total tokens don't confirm it" in note


def test_reasoning_larger_than_the_output_is_refused_where_the_total_has_it_inside():
    with pytest.raises(RecordRejected, match="20 output and 500 reasoning"):
        generated_tokens(20, 500, 70, 50)


def test_tokens_that_are_reported_nowhere_are_refused():
    with pytest.raises(RecordRejected, match=r"hold 300 more than a prompt of 50 and 20 output tokens, perhaps reas"):
        generated_tokens(20, None, 370, 50)


@pytest.mark.parametrize("value", [-1, 1.5, "9", True, [9], float("nan"), 2**60])
@pytest.mark.parametrize("name", ["output", "reasoning", "total"])
def test_what_is_no_count_is_refused_by_name(value, name):
    given = {"output": 20, "reasoning": 5, "total": 70} | {name: value}
    with pytest.raises(RecordRejected, match=rf"^{name}_tokens is .*; allowed: a whole number of tokens, at least 0"):
        generated_tokens(*given.values(), 50)


def test_a_format_without_totals_has_reasoning_inside():
    assert tokens_with_reasoning_inside(20, 20) == 20
    assert tokens_with_reasoning_inside(20, None) == 20
    with pytest.raises(RecordRejected, match="20 output and 21 reasoning tokens, though the one is a part of"):
        tokens_with_reasoning_inside(20, 21)
