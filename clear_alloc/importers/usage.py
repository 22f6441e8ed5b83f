"""Tokens that a model generated, by what its provider reports: reasoning counted once, inside or apart.

Providers mean two things by output (or completion) tokens. For OpenAI, Anthropic and DeepSeek reasoning is a part of
them; xAI and, through some gateways, Google report it apart. Only the total tells which: it is prompt + output where
reasoning is inside, and prompt + output + reasoning where it is apart.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clear_alloc.importers.records import RecordRejected
from clear_alloc.schema import refusal
from clear_alloc.schema.kinds import MOST, Whole
from clear_alloc.schema.words import TOKENS

__all__ = ["Generated", "generated_tokens", "tokens_with_reasoning_inside"]

_UNCONFIRMED = "reasoning is counted beside the output where it is larger, though the total tokens don't confirm it"
_ASSUMED = (
    "some usages have no total of prompt and output; there reasoning is taken as a part of the output, as the format "
    "defines it, and lengths are too short if the provider reports it apart"
)


class Generated(NamedTuple):
    """Tokens that the model generated for one answer, and what to say of the count, if anything."""

    tokens: int
    note: str = ""


class _Usage(BaseModel):
    model_config = ConfigDict(frozen=True)

    output_tokens: Whole = Field(ge=0, le=MOST, description=TOKENS)
    reasoning_tokens: Whole | None = Field(None, ge=0, le=MOST, description=TOKENS)
    total_tokens: Whole | None = Field(None, ge=0, le=MOST, description=TOKENS)
    prompts: tuple[Whole | None, ...] = Field((), description=TOKENS)

    @property
    def reported(self) -> str:
        return f"{self.output_tokens} output and {self.reasoning_tokens} reasoning tokens"


def generated_tokens(output: Any, reasoning: Any, total: Any, *prompts: Any) -> Generated:
    """Tokens of one answer, its reasoning once.

    output, reasoning, total : as reported, token; a reasoning or total of None or 0 is not reported.
    prompts : the prompt's tokens, token, in each way in which the source may count those read from a cache.

    Reasoning that is larger than the output is apart from it, with a note where the total doesn't confirm that;
    smaller one without a total is inside, with a note. Else RecordRejected where the total fits neither reading or
    both, and for what is not a count.
    """
    usage = _checked(output_tokens=output, reasoning_tokens=reasoning, total_tokens=total, prompts=prompts)
    known = {prompt for prompt in usage.prompts if prompt is not None}
    if not usage.reasoning_tokens:
        return Generated(_without_reasoning(usage, known))
    both, rest = usage.output_tokens + usage.reasoning_tokens, (usage.total_tokens or 0) - usage.output_tokens
    inside, apart = rest in known, rest - usage.reasoning_tokens in known
    larger = usage.reasoning_tokens > usage.output_tokens
    if apart and (larger or not inside):
        return Generated(both)
    if inside and not (larger or apart):
        return Generated(usage.output_tokens)
    if larger and not inside:
        return Generated(both, _UNCONFIRMED)
    if not (usage.total_tokens and known):
        return Generated(usage.output_tokens, _ASSUMED)
    raise RecordRejected(
        f"it reports {usage.reported} beside a prompt of {max(known)}, and its total_tokens, "
        f"{usage.total_tokens}, don't tell whether the one is inside the other; correct the usage or leave it out"
    )


def tokens_with_reasoning_inside(output: Any, reasoning: Any) -> int:
    """`output`, where the format reports no total and has reasoning inside. RecordRejected if it can't be."""
    usage = _checked(output_tokens=output, reasoning_tokens=reasoning)
    if (usage.reasoning_tokens or 0) > usage.output_tokens:
        raise RecordRejected(
            f"it reports {usage.reported}, though the one is a part of the other; correct the usage or leave it out"
        )
    return usage.output_tokens


def _without_reasoning(usage: _Usage, known: set[int]) -> int:
    # A smaller total says nothing of reasoning; a larger one says that some tokens are reported nowhere.
    if usage.total_tokens and known and usage.total_tokens > usage.output_tokens + max(known):
        hidden = usage.total_tokens - usage.output_tokens - max(known)
        raise RecordRejected(
            f"its total_tokens, {usage.total_tokens}, hold {hidden} more than a prompt of {max(known)} and "
            f"{usage.output_tokens} output tokens, perhaps reasoning; add reasoning_tokens or leave it out"
        )
    return usage.output_tokens


def _checked(**reported: Any) -> _Usage:
    try:
        return _Usage(**reported)
    except ValidationError as error:
        raise RecordRejected(refusal(error, _Usage)) from None
