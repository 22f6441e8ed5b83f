"""The other rows: recorded completions, scores, granted caps and groups."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from clear_alloc.allocation.reasons import Reason
from clear_alloc.schema.kinds import MOST, Bit, Flag, Name, OptionalName, Real, Share, Weight, Whole
from clear_alloc.schema.refusing import refuse
from clear_alloc.schema.words import ID, LIMIT, NO_MORE, RIGHT, TOKENS, WEIGHT

__all__ = ["REASONS", "CapRow", "GroupRow", "RolloutRow", "ScoreRow"]

REASONS = tuple(reason.name.lower() for reason in Reason)


class RolloutRow(BaseModel):
    """One line of a rollouts file: a recorded completion. Real logs have more columns; they are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    query_id: Name = Field(min_length=1, description=ID)
    tokens: Whole = Field(ge=0, le=MOST, description=TOKENS)
    correct: Bit = Field(ge=0, le=1, description=RIGHT)
    cap: Whole | None = Field(None, ge=1, le=MOST, description=LIMIT)
    weight: Weight = Field(1.0, ge=0, le=MOST, description=WEIGHT)

    @model_validator(mode="after")
    def _ends_at_its_cap(self) -> Self:
        if self.cap is not None and self.tokens > self.cap:
            remedy = "count both with the same tokenizer, or leave cap empty"
            refuse("tokens", self.tokens, f"at most the row's cap, {self.cap}", remedy)
        return self


class ScoreRow(BaseModel):
    """One line of a scores file: whether the answer to a request of a batch is right. Other columns are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    custom_id: Name = Field(min_length=1, description=ID)
    correct: Bit = Field(ge=0, le=1, description=RIGHT)


class CapRow(BaseModel):
    """One line of a caps file: what one query is granted.

    `choice` is a menu's option, -1 for none; `reason` the name of a `Reason` in small letters; `charge` what the
    budget is charged, budget units; `capped` is false where `tokens` is the mean length of an option and no cap.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    query_id: Name = Field(min_length=1, description=ID)
    tokens: Whole = Field(ge=0, le=MOST, description=TOKENS)
    funded: Flag = Field(description="true or false")
    choice: Whole | None = Field(None, ge=-1, le=MOST, description="the index of an option, or -1 for none")
    reason: Name | None = Field(None, min_length=1, description=", ".join(REASONS))
    charge: Real | None = Field(None, ge=0, description="a finite number of budget units, at least 0")
    capped: Flag | None = Field(None, description="true or false")

    @field_validator("reason")
    @classmethod
    def _is_known(cls, reason: str | None) -> str | None:
        if reason is not None and reason not in REASONS:
            refuse("reason", reason, ", ".join(REASONS), "correct the value or leave the row out")
        return reason


class GroupRow(BaseModel):
    """One line of a groups file: queries, or other groups, that share a budget within the whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Name = Field(min_length=1, description=ID)
    parent: OptionalName = Field(None, description="the name of another group, or empty for none")
    budget: Real | None = Field(None, ge=0, le=MOST, description=f"budget units, at least 0 {NO_MORE}, or empty")
    guarantee: Share = Field(0.0, ge=0, le=MOST, description=f"budget units, at least 0 {NO_MORE}")
    min_funded: Share = Field(0.0, ge=0, le=1, description="a share of the group's queries, 0 to 1")
