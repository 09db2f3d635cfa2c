"""From messages to the tokens a model reads: its chat template, and a window it must fit."""

import json
from bisect import bisect_left
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

from ..errors import InvalidRequest, TooLarge, UnsupportedTask
from ..schema import JSON, Message, Request, TextPart
from .calling import Format, format_of, template_of

CONTEXT_TOKENS = 8
"""Tokens of the prompt that decide about the space in front of the first new one."""

Turn = dict[str, Any]
Rendered = tuple[list[int], dict[str, Any] | None]


@dataclass(frozen=True)
class Prompt:
    """What the model reads, how its answer joins it, and what had to be left out.

    `inputs` are the tensors of a prompt that is more than its tokens. A `plain` one is gone on with as it
    stands; then `text` is how it was given, if it was text.
    """

    ids: list[int]
    context: Sequence[int] = ()
    notes: tuple[str, ...] = ()
    inputs: dict[str, Any] | None = None
    plain: bool = False
    text: str | None = None


class PromptBuilder:
    """Builds prompts for one tokenizer and a window of `window` tokens."""

    def __init__(self, tokenizer: Any, window: int, name: str) -> None:
        self._tokenizer = tokenizer
        self._templates = tokenizer
        self._window = window
        self._name = name
        self._tools: list[JSON] = []

    def calling(self, tools: Sequence[JSON]) -> Self:
        """The same with tools that the model may call, as templates read them."""
        told = copy(self)
        told._tools = list(tools)
        return told

    @property
    def format(self) -> Format:
        """How the model writes calls of tools; raises `UnsupportedTask` when its chat template knows none."""
        if (found := format_of(template_of(self._templates))) is None:
            raise UnsupportedTask(
                f"{self._name}'s chat template knows no tools; choose a model whose template does, as those "
                "of Qwen, Llama 3, Mistral and Hermes, or ask for JSON with `response_format`."
            )
        return found

    def build(self, request: Request, room: int) -> Prompt:
        """Tokens of the request, with at least one and if possible `room` tokens left for the answer.

        Turns that do not fit are left out whole, the oldest first; the system prompt stays. Raises
        `TooLarge` when not even the last message fits, `InvalidRequest` when there is nothing to read
        or the chat template refuses it, `UnsupportedTask` for anything but text.
        """
        if request.prompt_ids:
            ids = self._checked(self._known(request.prompt_ids))
            return Prompt(ids, ids[-CONTEXT_TOKENS:], plain=True)
        if request.prompt is not None:
            ids = self._checked(self._tokens(request.prompt) if request.prompt else [])
            return Prompt(ids, ids[-CONTEXT_TOKENS:], self._went_on(), text=request.prompt, plain=True)
        return self._chat([self._plain(message) for message in request.messages], room)

    def _chat(self, messages: list[Turn], room: int) -> Prompt:
        last = messages[-1]
        begun = last["role"] == "assistant" and not _words(last) and "tool_calls" not in last
        if len(messages) > 1 and begun:
            messages = messages[:-1]  # a reply that was stopped before its first word is begun, not continued
        (ids, inputs), dropped = self._fit(messages, min(room, self._window // 2))
        continued = messages[-1]["role"] == "assistant" or not self._templates.chat_template
        context = ids[-CONTEXT_TOKENS:] if continued else ()
        return Prompt(ids, context, tuple(self._notes(dropped)), inputs)

    def _went_on(self) -> tuple[str, ...]:
        if not self._templates.chat_template:
            return ()
        return (f"{self._name} went on from the prompt as it stands; send `messages` to have it answered.",)

    def _notes(self, dropped: int) -> list[str]:
        notes = []
        if not self._templates.chat_template:
            notes.append(
                f"{self._name} has no chat template, so it goes on from the text instead of answering."
            )
        if dropped:
            what = "message was" if dropped == 1 else f"{dropped} messages were"
            notes.append(f"The oldest {what} left out to fit the model's window of {self._window:,} tokens.")
        return notes

    def _plain(self, message: Message) -> Turn:
        if not isinstance(message.content, str):
            other = next((part for part in message.content if not isinstance(part, TextPart)), None)
            if other is not None:
                raise UnsupportedTask(
                    f"{self._name} reads text only, not {other.type}; choose a model that takes it."
                )
        return {"role": message.role, "content": message.text} | called(message)

    def _fit(self, messages: list[Turn], room: int) -> tuple[Rendered, int]:
        """What is read of as many of the latest turns as fit, and how many messages were left out."""
        if any("tool_calls" in turn or turn["role"] == "tool" for turn in messages):
            _ = self.format
        kept = messages[0]["role"] == "system"
        system, turns = messages[:kept], messages[kept:]
        starts = [0, *(i for i, turn in enumerate(turns) if i and turn["role"] == "user")]
        rendered: dict[int, Rendered] = {}

        def fits(start: int) -> bool:
            rendered[start] = self._render(system + turns[start:])
            return len(rendered[start][0]) + room <= self._window

        # The length falls with every turn left out; the last turn has to do with whatever room it leaves.
        first = 0 if fits(0) else bisect_left(starts, True, lo=1, key=fits)
        start = starts[min(first, len(starts) - 1)]
        self._checked(rendered[start][0])
        return rendered[start], start

    def _render(self, messages: list[Turn]) -> Rendered:
        if not self._templates.chat_template:
            return self._tokens("\n".join(_words(message) for message in messages)), None
        text = self._text(messages)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"]), None

    def _text(self, messages: list[Turn]) -> str:
        """The messages as one text, by the chat template."""
        text = self._templated(messages)
        if messages[-1]["role"] == "assistant":
            text = _with_last_spaces(text, _words(messages[-1]))
        return text

    def _templated(self, messages: list[Turn]) -> str:
        from jinja2 import TemplateError

        continued = messages[-1]["role"] == "assistant" and "tool_calls" not in messages[-1]
        how = "continue_final_message" if continued else "add_generation_prompt"
        try:
            tools = {"tools": self._tools} if self._tools else {}
            return str(self._templates.apply_chat_template(messages, tokenize=False, **{how: True}, **tools))
        except Exception as error:  # a template is a program of the model's maker, and may raise anything
            if messages[0]["role"] == "system" and len(messages) > 1:
                return self._templated(_without_system(messages))
            reason = str(error).split("\n")[0][:200] if isinstance(error, TemplateError) else ""
            raise InvalidRequest(
                f"{self._name}'s chat template refuses this: {reason or type(error).__name__}."
            ) from error

    def _tokens(self, text: str) -> list[int]:
        """The tokens of a text to go on from, so without the end that some tokenizers put to every text."""
        ids = list(self._tokenizer(text)["input_ids"])
        return ids[:-1] if len(ids) > 1 and ids[-1] == self._tokenizer.eos_token_id else ids

    def _known(self, ids: Sequence[int]) -> list[int]:
        """Tokens that were given; raises `InvalidRequest` for one that the model does not have."""
        size = len(self._tokenizer)
        if wrong := next((token for token in ids if not 0 <= token < size), None):
            raise InvalidRequest(f"{self._name} has no token {wrong}; its tokens are 0 to {size - 1:,}.")
        return list(ids)

    def _checked(self, ids: list[int]) -> list[int]:
        if not ids:
            raise InvalidRequest("The prompt is empty; write something to continue.")
        if len(ids) >= self._window:
            raise TooLarge(
                f"The text is {len(ids):,} tokens long and {self._name} reads {self._window - 1:,} at most; "
                "shorten it."
            )
        return ids


def called(message: Message) -> Turn:
    """What templates read of a message besides its words: which tools it calls, or which call it answers."""
    found: Turn = {}
    if message.tool_calls:
        found["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": _object(call.function.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        found["name"] = message.name
    return found


def _object(arguments: str) -> Any:
    """Arguments as templates take them: an object; as they stand where they are none."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _without_system(messages: list[Turn]) -> list[Turn]:
    """The same for families that know no system role: their makers put its text before the first question."""
    system, first, *rest = messages
    if first["role"] != "user":
        return [system | {"role": "user"}, first, *rest]
    if isinstance(first["content"], str):
        return [first | {"content": f"{system['content']}\n\n{first['content']}"}, *rest]
    return [first | {"content": [*system["content"], *first["content"]]}, *rest]


def _words(turn: Turn) -> str:
    """The text of a turn, whose content is a text or a list of parts."""
    content = turn["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _with_last_spaces(text: str, content: str) -> str:
    """`text` with the spaces that `content` ends with: templates strip them, but people have read them."""
    spaces = content[len(content.rstrip()) :]
    return text if text.endswith(spaces) else text + spaces
