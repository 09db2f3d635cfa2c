"""Calls of tools in the text of a model, however it is cut into pieces, and the grammar that forces them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_chat.errors import UnsupportedTask
from inference_chat.events import Event, Finished, Result, TextDelta, ToolCallDelta
from inference_chat.runners.calling import BARE, LISTED, LLAMA, NAMED, TAGGED, Format, format_of
from inference_chat.runners.calls import Calls
from inference_chat.runners.text import TextRunner
from inference_chat.runners.tools import Tool
from inference_chat.schema import Called, Message, ToolCall
from tests import tiny

from .models import answer, events, open_runner, user

CITY: dict[str, Any] = {"type": "string", "maxLength": 6}
SCHEMA = {
    "type": "object",
    "properties": {"city": CITY, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "now"}},
]
PARIS = '{"city": "Pa}r\\"is", "days": 2}'
WRITTEN = [
    (TAGGED, f'Well.<tool_call>\n{{"name": "weather", "arguments": {PARIS}}}\n</tool_call>'),
    (TAGGED, f'Well.<tool_call>{{"arguments": {PARIS}, "name": "weather"}}</tool_call>'),
    (
        TAGGED,
        'Well.<tool_call>\n<function=weather>\n<parameter=city>\nPa}r"is\n</parameter>\n'
        "<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>",
    ),
    (LISTED, f'Well.[TOOL_CALLS] [{{"name": "weather", "arguments": {PARIS}, "id": "abcdefghi"}}]'),
    (NAMED, f"Well.[TOOL_CALLS]weather[ARGS]{PARIS}"),
    (LLAMA, f'<|python_tag|>{{"name": "weather", "parameters": {PARIS}}}'),
    (BARE, f'{{"type": "function", "function": {{"name": "weather", "arguments": {PARIS}}}}}'),
]


def read(form: Format, pieces: list[str]) -> Result:
    calls = Calls(form, [Tool.model_validate(tool) for tool in TOOLS], forced=False, parallel=True)
    told: list[Event] = [TextDelta(text=piece) for piece in pieces]
    return Result.of(calls.read(iter([*told, Finished()])))


def called(result: Result, answer: int = 0) -> list[tuple[str, Any]]:
    calls = result.tool_calls[answer] if result.tool_calls else ()
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls]


@settings(max_examples=20)
@pytest.mark.parametrize(("form", "text"), WRITTEN)
@given(data=st.data())
def test_a_call_is_found_however_it_is_cut(form: Format, text: str, data: st.DataObject):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    result = read(form, [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)])
    assert called(result) == [("weather", {"city": 'Pa}r"is', "days": 2})]
    assert result.text == ("Well." if form.mark else "")
    assert result.finished.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (TAGGED, 'It is <b>bold</b> and {"name": "weather"}'),
        (TAGGED, '<tool_call>{"name": "unknown", "arguments": {}}</tool_call>'),
        (BARE, '{"name": "Ann", "age": 3}'),
        (LLAMA, "Just words."),
        (LISTED, "[TOOL_CALLS] what?"),
    ],
)
def test_what_is_no_call_stays_text(form: Format, text: str):
    result = read(form, list(text))
    assert (result.text.strip(), result.tool_calls) == (text, ())
    assert result.finished.finish_reason == "stop"


def test_several_calls_and_the_text_behind_them():
    one = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    result = read(TAGGED, list(f"{one}\n{one} Done."))
    assert called(result) == [("now", {})] * 2
    assert result.text == "Done."


def test_arguments_are_passed_on_as_they_come():
    calls = Calls(TAGGED, [Tool.model_validate(tool) for tool in TOOLS], forced=False, parallel=True)
    pieces = [TextDelta(text=text) for text in ('<tool_call>{"name": "weather", "arguments": {"ci', 'ty": 1')]
    told = [event for event in calls.read(iter(pieces)) if isinstance(event, ToolCallDelta)]
    assert [event.arguments for event in told] == ["", '{"ci', 'ty": 1']


@pytest.mark.parametrize(
    ("template", "form"),
    [
        ("{{ messages }}", None),
        ("{% if tools %}<tool_call>{% endif %}", TAGGED),
        ("{{ tools }}[TOOL_CALLS]", LISTED),
        ("{{ tools }}[TOOL_CALLS][ARGS]", NAMED),
        ('{{ tools }}{"name": f, "parameters": x}', LLAMA),
        ("{% for tool in tools %}{% endfor %}", BARE),
        ("{% set tools = 1 %}{{ tools }}", None),
    ],
)
def test_the_format_is_read_from_the_template(template: str, form: Format | None):
    assert format_of(template) == form


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> TextRunner:
    folder = tmp_path_factory.mktemp("models")
    return open_runner(tiny.build(folder / "tools", window=1024, template=tiny.TOOLS_TEMPLATE))


@pytest.mark.parametrize("sign", ["<tool_call>", "[ARGS]", "[TOOL_CALLS]", "<|python_tag|>", "none"])
def test_a_random_model_is_made_to_call_rightly(runner: TextRunner, sign: str):
    runner._prompts._templates.chat_template = tiny.TOOLS_TEMPLATE.replace("<tool_call>", sign)
    choice = {"type": "function", "function": {"name": "weather"}}
    result = answer(
        runner, (user("Hi"),), tools=TOOLS, tool_choice=choice, n=2, seed=1, temperature=1, max_tokens=160
    )
    for number in range(2):
        [(name, arguments)] = called(result, number)
        assert name == "weather"
        assert arguments.keys() == {"city", "days"}
        assert arguments["days"] in range(1, 10)
    assert result.finished.finish_reasons == ("tool_calls", "tool_calls")


def test_a_model_may_call_nothing(runner: TextRunner):
    runner._prompts._templates.chat_template = tiny.TOOLS_TEMPLATE
    strict = [{"type": "function", "function": {"name": "now", "strict": True}}]
    free = answer(runner, (user("Hi"),), tools=strict, max_tokens=8)
    assert (free.tool_calls, len(free.text) > 0) == ((), True)
    without = answer(runner, (user("Hi"),), max_tokens=8)
    assert answer(runner, (user("Hi"),), tools=TOOLS, tool_choice="none", max_tokens=8).text == without.text


def test_what_came_of_calls_is_read(runner: TextRunner):
    runner._prompts._templates.chat_template = tiny.TOOLS_TEMPLATE
    call = ToolCall(id="call_1", function=Called(name="now", arguments="{}"))
    turns = (
        user("Hi"),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", tool_call_id="call_1", content="noon"),
    )
    read_ = next(event for event in events(runner, turns, max_tokens=1) if getattr(event, "detail", ""))
    assert int(read_.detail.split()[0]) > 60  # type: ignore[union-attr]
    runner._prompts._templates.chat_template = tiny.CHAT_TEMPLATE
    with pytest.raises(UnsupportedTask, match="template knows no tools"):
        answer(runner, turns)
    with pytest.raises(UnsupportedTask, match="template knows no tools"):
        answer(runner, (user("Hi"),), tools=TOOLS)
