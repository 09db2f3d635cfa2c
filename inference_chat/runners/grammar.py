"""Constrained decoding: an answer can only be what a grammar allows, whichever model writes it.

Grammars are llguidance's (https://github.com/guidance-ai/llguidance): JSON schemas, or its dialect of Lark,
which may hold JSON schemas too. Before each token it tells which tokens can follow; all others are forbidden.
"""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol

from pydantic import ConfigDict, Field, model_validator

from ..errors import InvalidRequest, ModelFailed
from ..schema import JSON, Frozen, JSONObject

SPACES = r"( |\n {0,16})?"
"""What may stand between the parts of JSON: of spaces without end a model may never find the way out."""

ANY_OBJECT: JSON = {"type": "object"}


class JsonSchema(Frozen):
    """What an answer must look like; `schema` is a JSON schema."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: str = Field("answer", max_length=64)
    description: str | None = None
    schema_: JSONObject | None = Field(None, alias="schema")
    strict: bool | None = Field(None, description="Taken and not needed: every schema is kept to.")


class ResponseFormat(Frozen):
    """What is written: `text`, `json_object`, or JSON that fits a `json_schema`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_hugging_face(cls, given: Any) -> Any:
        """Their client and server name a schema `value`."""
        if isinstance(given, dict) and given.keys() == {"type", "value"}:
            return {"type": "json_schema", "json_schema": {"schema": given["value"]}}
        return given

    @model_validator(mode="after")
    def _can_be_met(self) -> "ResponseFormat":
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("`json_schema` is given with the type `json_schema`, and only then")
        if self.grammar:
            refuse_if_wrong(self.grammar)
        return self

    @property
    def rule(self) -> str | None:
        """What is written, as part of a grammar's rule; None for any text."""
        if self.type == "text":
            return None
        schema = self.json_schema.schema_ if self.json_schema else None
        return json_rule(json.loads(schema) if schema else ANY_OBJECT)

    @property
    def grammar(self) -> str | None:
        """The grammar of the answer; None for any text."""
        return f"%llguidance {{}}\nstart: {self.rule}\n" if self.rule else None


class Guide(Protocol):
    """The way of one answer through a grammar."""

    @property
    def done(self) -> bool:
        """Whether nothing can follow any more."""

    def mask(self, scores: Any) -> None:
        """Forbid in `scores` (vocabulary) every token that cannot follow."""

    def take(self, token: int) -> None:
        """Go on behind a token."""


Guided = Callable[[], Guide]
"""Makes the guide of an answer; each has its own."""


def json_rule(schema: JSON, *, lenient: bool = False) -> str:
    """A schema as a part of a grammar's rule; `lenient` leaves out what of it is not supported."""
    how: JSON = {"whitespace_pattern": SPACES} | ({"lenient": True} if lenient else {})
    return f"%json {json.dumps({**schema, 'x-guidance': how})}"


@lru_cache(maxsize=256)
def wrong_with(grammar: str) -> str:
    """What keeps a grammar from being followed, in words; empty when nothing does."""
    from llguidance import LLMatcher

    failed, reasons = LLMatcher.validate_grammar_with_warnings(grammar)
    return reasons[0].splitlines()[0][:300] if failed else ""


def refuse_if_wrong(grammar: str) -> None:
    """Raises `ValueError` for a grammar that cannot be met, or has what is not supported."""
    if reason := wrong_with(grammar):
        raise ValueError(f"the schema cannot be followed: {reason}; change or leave out that part")


class Grammars:
    """Grammars over one model's tokens."""

    def __init__(self, tokenizer: Any, ends: frozenset[int], name: str) -> None:
        self._tokenizer = tokenizer
        self._ends = sorted(ends)
        self._name = name
        self._known: Any = None

    def guided(self, grammar: str) -> Guided:
        """How answers are kept to a grammar; raises `InvalidRequest` when it or the model cannot."""
        from llguidance import LLMatcher

        first = LLMatcher(self._tokens(), grammar)
        if first.is_error():
            reason = first.get_error().splitlines()[0][:300]
            raise InvalidRequest(f"{self._name} cannot keep to this format: {reason}.")

        def make() -> Guide:
            return _Way(first.deep_copy(), self._name)

        return make

    def literal(self, text: str) -> str:
        """A text as part of a grammar's rule; one that is a special token is that token."""
        number = self._tokenizer.convert_tokens_to_ids(text)
        if isinstance(number, int) and self._tokens().is_special_token(number):
            return f"<[{number}]>"
        return json.dumps(text)

    def _tokens(self) -> Any:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> Any:
        import llguidance.hf
        from transformers import PreTrainedTokenizerFast

        if not isinstance(self._tokenizer, PreTrainedTokenizerFast) or not self._ends:
            raise InvalidRequest(
                f"{self._name} cannot be kept to a format: its tokenizer is none of the fast kind, or has no "
                "token that ends an answer. Leave out `response_format` and `tools`, or choose another model."
            )
        return llguidance.hf.from_tokenizer(self._tokenizer, eos_token=self._ends)


class _Way:
    """A matcher of llguidance, on the way of one answer."""

    def __init__(self, matcher: Any, name: str) -> None:
        self._matcher = matcher
        self._name = name

    @property
    def done(self) -> bool:
        return bool(self._matcher.is_stopped())

    def mask(self, scores: Any) -> None:
        import torch

        bias = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8)
        length = min(len(bias), len(scores))
        forbidden = bias[:length] == 0
        if bool(forbidden.all()):
            reason = self._matcher.get_error() or "its vocabulary has no way on"
            raise ModelFailed(
                f"{self._name} could not keep to the format: {reason.splitlines()[0][:200]}. "
                "A simpler schema may work."
            )
        scores[:length].masked_fill_(forbidden, -torch.inf)
        scores[length:] = -torch.inf

    def take(self, token: int) -> None:
        self._matcher.consume_token(token)


def guides(guided: Guided | None, rows: int) -> Sequence[Guide]:
    """The guides of so many answers; none for free ones."""
    return [guided() for _ in range(rows)] if guided else []
