"""From messages to the tokens a model reads: its chat template, and a window it must fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidRequest, TooLarge, UnsupportedTask
from ..schema import Message, Request, TextPart

CONTEXT_TOKENS = 8
"""Tokens of the prompt that decide about the space in front of the first new one."""


@dataclass(frozen=True)
class Prompt:
    """What the model reads, how its answer joins it, and what had to be left out."""

    ids: list[int]
    context: Sequence[int] = ()
    notes: tuple[str, ...] = ()


class PromptBuilder:
    """Builds prompts for one tokenizer and a window of `window` tokens."""

    def __init__(self, tokenizer: Any, window: int, name: str) -> None:
        self._tokenizer = tokenizer
        self._window = window
        self._name = name

    def build(self, request: Request, room: int) -> Prompt:
        """Tokens of the request, with at least one and if possible `room` tokens left for the answer.

        Turns that do not fit are left out whole, the oldest first; the system prompt stays. Raises
        `TooLarge` when not even the last message fits.
        """
        if request.prompt is not None:
            return self._completion(request.prompt)
        messages = [self._plain(message) for message in request.messages]
        ids, dropped = self._fit(messages, min(room, self._window // 2))
        notes = []
        if not self._tokenizer.chat_template:
            notes.append(
                f"{self._name} has no chat template, so it goes on from the text instead of answering."
            )
        if dropped:
            what = "message was" if dropped == 1 else f"{dropped} messages were"
            notes.append(f"The oldest {what} left out to fit the model's window of {self._window:,} tokens.")
        continued = request.messages[-1].role == "assistant" or not self._tokenizer.chat_template
        return Prompt(ids, ids[-CONTEXT_TOKENS:] if continued else (), tuple(notes))

    def _completion(self, text: str) -> Prompt:
        ids = list(self._tokenizer(text)["input_ids"])
        if ids and ids[-1] == self._tokenizer.eos_token_id and len(ids) > 1:
            ids.pop()  # some tokenizers close every text; a prompt is to be continued
        if not ids:
            raise InvalidRequest("The prompt is empty; write something to continue.")
        self._check(len(ids))
        return Prompt(ids, ids[-CONTEXT_TOKENS:])

    def _plain(self, message: Message) -> dict[str, str]:
        if not isinstance(message.content, str):
            other = next((part for part in message.content if not isinstance(part, TextPart)), None)
            if other is not None:
                raise UnsupportedTask(
                    f"{self._name} reads text only, not {other.type}; choose a model that takes it."
                )
        return {"role": message.role, "content": message.text}

    def _fit(self, messages: list[dict[str, str]], room: int) -> tuple[list[int], int]:
        """The tokens of as many of the latest turns as fit, and how many messages were left out."""
        kept = len(messages) > 0 and messages[0]["role"] == "system"
        system, turns = messages[:kept], messages[kept:]
        starts = [i for i, turn in enumerate(turns) if turn["role"] == "user"] or [0]
        for start in _halving(
            starts, lambda at: len(self._render(system + turns[at:])) + room <= self._window
        ):
            ids = self._render(system + turns[start:])
            if len(ids) + room <= self._window or start == starts[-1]:
                self._check(len(ids))
                return ids, start
        raise AssertionError("the last start is always tried")

    def _render(self, messages: list[dict[str, str]]) -> list[int]:
        if not self._tokenizer.chat_template:
            return list(self._tokenizer("\n".join(message["content"] for message in messages))["input_ids"])
        goes_on = messages[-1]["role"] == "assistant"
        how = {"continue_final_message": True} if goes_on else {"add_generation_prompt": True}
        text = self._templated(messages, how)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _templated(self, messages: list[dict[str, str]], how: dict[str, bool]) -> str:
        from jinja2 import TemplateError

        try:
            return str(self._tokenizer.apply_chat_template(messages, tokenize=False, **how))
        except TemplateError as error:
            if messages[0]["role"] != "system" or len(messages) < 2:
                raise InvalidRequest(f"{self._name}'s chat template refuses this: {error}.") from error
            # Some families know no system role; their makers put its text before the first question.
            first = {"role": "user", "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
            return self._templated([first, *messages[2:]], how)

    def _check(self, tokens: int) -> None:
        if tokens >= self._window:
            raise TooLarge(
                f"The text is {tokens:,} tokens long and {self._name} reads {self._window - 1:,} at most; "
                "shorten it."
            )


def _halving(starts: Sequence[int], fits: Callable[[int], bool]) -> Sequence[int]:
    """The first of `starts` that fits, then the last: length falls with every turn left out."""
    if fits(starts[0]):
        return [starts[0]]
    low, high = 0, len(starts) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(starts[middle]) else (middle, high)
    return [starts[high]]
