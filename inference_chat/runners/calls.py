"""Reading calls of tools out of an answer while it is written: arguments are passed on as they come.

Read are `<tool_call>{…}</tool_call>` (Hermes, Qwen), `<tool_call><function=…>` (Qwen's coders),
`[TOOL_CALLS][{…}]` and `[TOOL_CALLS]name[ARGS]{…}` (Mistral), and bare objects (Llama 3). What turns out
to be no call of a known tool is text, and nothing of it is lost.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from ..events import Event, Finished, FinishReason, TextDelta, ToolCallDelta
from ..schema import JSON
from .calling import Format, grammar_of, new_call_id
from .detokenize import overlap
from .tools import Tool

NAME = r'"name"\s*:\s*(?P<name>"(?:[^"\\]|\\.)*")'
KIND = r'\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?'
HEADS = (
    re.compile(KIND + NAME + r'\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)'),
    re.compile(r"(?P<name>[A-Za-z0-9_.:-]+)(?:\[CALL_ID\][^\[{]*)?\[ARGS\]\s*(?=\{)"),
)
"""What stands before the arguments of a call."""

LEFT = re.compile(
    r'(?:</tool_call>|<tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>|"id"\s*:\s*"[^"]*"|\[(?!T|$)|[\s\],;}])+'
)
"""What may stand between two calls."""

MARKS = ("</tool_call>", "<tool_call>", "[TOOL_CALLS]", '"id": "', "<|python_tag|>")
FUNCTION = re.compile(r"<function=(?P<name>[^>\s]+)>(?P<body>.*?)</function>", re.DOTALL)
PARAMETER = re.compile(r"<parameter=(?P<name>[^>\s]+)>\n?(?P<value>.*?)\n?</parameter>", re.DOTALL)
FENCE = "<|python_tag|>"


class CallReader:
    """Takes the text of one answer, gives text and calls; `mark` tells where calls begin, if any does."""

    def __init__(self, choice: int, mark: str, tools: Collection[Tool], new_id: Callable[[], str]) -> None:
        self._choice = choice
        self._mark = mark
        self._tools = {tool.function.name: tool for tool in tools}
        self._new_id = new_id
        self._held = ""
        self._state = self._free if mark else self._first
        self._value: _Value | None = None
        self.count = 0

    def push(self, text: str) -> Iterator[Event]:
        """What is known by now."""
        self._held += text
        before = None
        while before != (self._held, self._state):
            before = (self._held, self._state)
            yield from self._state()

    def close(self) -> Iterator[Event]:
        """What was held back at the end."""
        held, self._held = self._held, ""
        if self._state == self._after or self._value is not None:
            held = LEFT.sub("", held, count=1)
            held = "" if any(mark.startswith(held) for mark in MARKS) else held
        if not held.strip():
            yield from self._text("" if self.count else held)
        elif found := self._whole(held):
            for name, arguments in found:
                yield from self._call(name, arguments)
        else:
            yield from self._text(held)

    # --- states: each takes what it can from the front of what is held ---------------------------

    def _first(self) -> Iterator[Event]:
        """Before any text: a bare object would be a call."""
        start = self._held.lstrip().removeprefix(FENCE).lstrip()
        if start[:1] in ("{", "["):
            self._held, self._state = start, self._head
        elif start and not FENCE.startswith(start):
            self._state = self._plain
        yield from ()

    def _plain(self) -> Iterator[Event]:
        held, self._held = self._held, ""
        yield from self._text(held)

    def _free(self) -> Iterator[Event]:
        """In free text, up to the mark."""
        at = self._held.find(self._mark)
        if at >= 0:
            text, self._held, self._state = self._held[:at], self._held[at:], self._head
            yield from self._text(text.rstrip() if not text.strip() else text)
            return
        keep = overlap(self._held, self._mark)
        text, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        yield from self._text(text)

    def _head(self) -> Iterator[Event]:
        """Before a call's arguments."""
        left = LEFT.match(self._held)
        at = left.end() if left else 0
        if function := FUNCTION.match(self._held, at):
            yield from self._tagged(function)
            return
        head = next((found for one in HEADS if (found := one.match(self._held, at))), None)
        if head is None:
            return
        quoted = head["name"]
        name = str(json.loads(quoted)) if quoted.startswith('"') else quoted
        if name in self._tools:
            self._held = self._held[head.end() :]
            self._value, self._state = _Value(), self._arguments
            yield self._delta(id=self._new_id(), name=name)

    def _arguments(self) -> Iterator[Event]:
        assert self._value is not None
        taken = self._value.take(self._held)
        piece, self._held = self._held[:taken], self._held[taken:]
        if piece:
            yield self._delta(arguments=piece)
        if self._value.done:
            self._value, self._state = None, self._after
            self.count += 1

    def _after(self) -> Iterator[Event]:
        """Behind a call: another, or text."""
        left = LEFT.match(self._held)
        rest = self._held[left.end() :] if left else self._held
        if not rest or rest.startswith('"') or any(mark.startswith(rest) for mark in MARKS):
            return
        if rest[0] in "{<[" or HEADS[1].match(rest) or not self._mark:
            self._state = self._head
        else:
            self._held, self._state = rest, self._free
        yield from ()

    # --- pieces ----------------------------------------------------------------------------------

    def _text(self, text: str) -> Iterator[Event]:
        if text:
            yield TextDelta(text=text, choice=self._choice)

    def _delta(self, **fields: Any) -> ToolCallDelta:
        return ToolCallDelta(choice=self._choice, index=self.count, **fields)

    def _call(self, name: str, arguments: str) -> Iterator[Event]:
        yield self._delta(id=self._new_id(), name=name, arguments=arguments)
        self.count += 1

    def _tagged(self, function: re.Match[str]) -> Iterator[Event]:
        if (tool := self._tools.get(function["name"])) is None:
            return
        known: JSON = tool.function.schema_.get("properties", {})
        given = {
            one["name"]: _meant(one["value"], known.get(one["name"]))
            for one in PARAMETER.finditer(function["body"])
        }
        self._held, self._state = self._held[function.end() :], self._after
        yield from self._call(tool.function.name, json.dumps(given, ensure_ascii=False))

    def _whole(self, held: str) -> list[tuple[str, str]]:
        """The calls of a text whose keys stand in another order; none where it is no such text."""
        text = LEFT.sub("", held, count=1) if not held.lstrip().startswith("[{") else held
        for mark in MARKS[:3]:
            text = text.replace(mark, "")
        try:
            found = json.loads(text)
        except ValueError:
            return []
        told = found if isinstance(found, list) else [found]
        calls = [call for one in told if (call := _named(one)) and call[0] in self._tools]
        return calls if len(calls) == len(told) else []


class _Value:
    """Finds the end of a JSON value that comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = self._escaped = False
        self.done = False

    def take(self, text: str) -> int:
        """How many characters of `text` belong to the value."""
        for at, letter in enumerate(text):
            if self._quoted:
                self._in_text(letter)
            elif letter == '"':
                self._quoted = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]":
                self._depth -= 1
            if self._depth == 0 and not self._quoted:
                self.done = True
                return at + 1
        return len(text)

    def _in_text(self, letter: str) -> None:
        if self._escaped:
            self._escaped = False
        elif letter == "\\":
            self._escaped = True
        elif letter == '"':
            self._quoted = False


class Calls:
    """The tools that one request offers, as its model writes calls of them."""

    def __init__(self, form: Format, tools: Sequence[Tool], *, forced: bool, parallel: bool) -> None:
        self.marks = form.marks
        self._form = form
        self._tools = tools
        self._forced = forced
        self._parallel = parallel

    def grammar(self, literal: Callable[[str], str], otherwise: str | None) -> str | None:
        """What keeps calls to their schemas; None where nobody asked for that.

        `otherwise` is the rule of an answer that calls nothing.
        """
        if not (self._forced or otherwise or any(tool.function.strict for tool in self._tools)):
            return None
        return grammar_of(
            self._form,
            self._tools,
            literal,
            forced=self._forced,
            parallel=self._parallel,
            otherwise=otherwise,
        )

    def read(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events of a run with its calls read out of its text; log-probabilities go along unchanged."""
        readers: dict[int, CallReader] = {}
        for event in events:
            if isinstance(event, TextDelta):
                reader = readers.setdefault(event.choice, self._reader(event.choice))
                if event.tokens:
                    yield event.model_copy(update={"text": ""})
                yield from reader.push(event.text)
            elif isinstance(event, Finished):
                for reader in readers.values():
                    yield from reader.close()
                reasons = tuple(
                    _reason(reason, readers.get(choice)) for choice, reason in enumerate(event.finish_reasons)
                )
                yield event.model_copy(update={"finish_reasons": reasons})
            else:
                yield event

    def _reader(self, choice: int) -> CallReader:
        return CallReader(choice, self._form.mark, self._tools, lambda: new_call_id(self._form))


def _reason(reason: FinishReason, reader: CallReader | None) -> FinishReason:
    return "tool_calls" if reason == "stop" and reader is not None and reader.count else reason


def _named(call: object) -> tuple[str, str] | None:
    """Name and arguments of a call that is whole."""
    if isinstance(call, dict) and isinstance(call.get("function"), dict):
        call = call["function"]
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return None
    arguments = call.get("arguments", call.get("parameters", {}))
    return call["name"], arguments if isinstance(arguments, str) else json.dumps(
        arguments, ensure_ascii=False
    )


def _meant(value: str, schema: object) -> Any:
    """A value that was written bare: a text where the schema says so, else JSON if it is some."""
    if isinstance(schema, dict) and schema.get("type") == "string":
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
