"""Formats and tools through OpenAI's own client, with a random model whose template knows tools."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel, ConfigDict, Field

from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings

MODEL = "tiny-tools"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
CITY = {
    "type": "object",
    "properties": {
        "city": {"enum": ["Paris", "Rome"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS: list[Any] = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]


class Person(BaseModel):
    """What the client asks for; short, so that a random model comes to its end."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=8)
    kind: Literal["child", "adult"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    for name, template in ((MODEL, tiny.TOOLS_TEMPLATE), ("tiny-plain", tiny.CHAT_TEMPLATE)):
        tiny.card(tiny.build(folder / "models" / name, window=2048, template=template), name=name)
    with serving(Service(settings(folder, folder / "models"))) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def ask(client: OpenAI, **more: Any) -> Any:
    how: Any = {"model": MODEL, "messages": HELLO, "max_tokens": 200, "seed": 3} | more
    return client.chat.completions.create(**how)


def test_an_answer_is_parsed_into_the_clients_own_model(client: OpenAI):
    answer = client.chat.completions.parse(
        model=MODEL, messages=HELLO, max_tokens=200, seed=1, response_format=Person
    )
    found = answer.choices[0].message.parsed
    assert found is not None
    assert found.kind in ("child", "adult")


def test_a_streamed_object_is_the_same(client: OpenAI):
    form = {"type": "json_schema", "json_schema": {"name": "p", "schema": Person.model_json_schema()}}
    whole = ask(client, response_format=form)
    chunks = ask(client, response_format=form, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    Person.model_validate_json(text)


def test_an_object_cut_off_is_the_clients_own_error(client: OpenAI):
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model=MODEL, messages=HELLO, max_tokens=3, response_format=Person)


def test_a_schema_that_cannot_be_kept_to_is_refused_also_as_a_stream(client: OpenAI):
    wrong = {"type": "json_schema", "json_schema": {"name": "p", "schema": {"not": {}}}}
    with pytest.raises(openai.UnprocessableEntityError, match="not"):
        ask(client, response_format=wrong, stream=True)


def test_formats_are_for_every_door(server: Server):
    options = {"max_tokens": 200, "seed": 1, "response_format": {"type": "json_object"}}
    form = {"type": "json_schema", "json_schema": {"name": "p", "schema": CITY}}
    options["response_format"] = form
    with server.http() as http:
        body = {"model": MODEL, "prompt": "Where?", "parameters": options}
        told = http.post("/inference/text", json=body).raise_for_status().json()
        session = http.post("/chat/start", json={"model": MODEL, "settings": options}).json()["session_id"]
        said = http.post(f"/chat/{session}/message", json={"content": "Where?"}).raise_for_status().json()
    for text in (told["output"]["text"], said["message"]["content"]):
        assert json.loads(text)["city"] in ("Paris", "Rome")


def test_the_tool_that_was_named_is_called(client: OpenAI):
    answer = ask(client, tools=TOOLS, tool_choice={"type": "function", "function": {"name": "weather"}})
    [call] = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments)["city"] in ("Paris", "Rome")
    turns = [
        *HELLO,
        answer.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": "Sunny."},
    ]
    assert ask(client, messages=turns, tools=TOOLS, max_tokens=4).usage.completion_tokens == 4


def test_a_call_is_streamed_in_pieces(client: OpenAI):
    how: Any = {"model": MODEL, "messages": HELLO, "tools": TOOLS, "tool_choice": "required", "seed": 2}
    with client.chat.completions.stream(max_tokens=200, parallel_tool_calls=False, **how) as stream:
        pieces = [event for event in stream if event.type == "tool_calls.function.arguments.delta"]
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    arguments = message.tool_calls[0].function.arguments
    assert "".join(piece.arguments_delta for piece in pieces) == arguments
    assert json.loads(arguments)["days"] in range(1, 10)


def test_a_model_without_tools_says_what_would_work(client: OpenAI):
    for streamed in (False, True):
        with pytest.raises(openai.UnprocessableEntityError, match="choose a model whose template does"):
            ask(client, model="tiny-plain", tools=TOOLS, stream=streamed)
    with pytest.raises(openai.UnprocessableEntityError, match="none of the tools"):
        ask(client, tools=TOOLS, tool_choice={"type": "function", "function": {"name": "other"}})
