"""`/v1/responses` through OpenAI's own client, with a random model whose template knows tools."""

import json
import time
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel, ConfigDict

from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings

MODEL = "tiny-tools"
SHORT: dict[str, Any] = {"model": MODEL, "max_output_tokens": 6, "temperature": 0}
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "Rome"]}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: Any = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": True}
CALLED: dict[str, Any] = {"model": MODEL, "seed": 3, "max_output_tokens": 200, "tools": [TOOL]}


class Place(BaseModel):
    model_config = ConfigDict(extra="forbid")

    city: Literal["Paris", "Rome"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    model = tiny.build(folder / "models" / MODEL, window=2048, template=tiny.TOOLS_TEMPLATE)
    tiny.card(model, name=MODEL)
    with serving(Service(settings(folder, folder / "models"))) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def seeded(client: OpenAI, **more: Any) -> Any:
    """An answer to `more`; this client's types know no seed."""
    how = CALLED | more
    return client.responses.create(extra_body={"seed": how.pop("seed")}, **how)


def test_an_answer_is_that_of_a_chat(client: OpenAI):
    answer = client.responses.create(input="Hello", instructions="Be brief.", **SHORT)
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    chat = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=6, temperature=0)
    assert answer.output_text == chat.choices[0].message.content
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage is not None
    assert chat.usage is not None
    assert answer.usage.total_tokens == chat.usage.total_tokens


def test_what_was_answered_is_gone_on_with(client: OpenAI, server: Server):
    first = client.responses.create(input="Hello", instructions="Be brief.", **SHORT)
    second = client.responses.create(input="And now?", previous_response_id=first.id, **SHORT)
    whole = client.responses.create(
        input=[
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": first.output_text},
            {"role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
        ],
        **SHORT,
    )
    assert second.output_text == whole.output_text
    assert second.usage == whole.usage
    assert client.responses.retrieve(second.id).output_text == second.output_text
    assert list(client.files.list()) == []
    client.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError, match="not to be stored"):
        client.responses.retrieve(second.id)


def test_what_was_not_to_be_stored_is_not(client: OpenAI):
    answer = client.responses.create(input="Hello", store=False, **SHORT)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(input="And now?", previous_response_id=answer.id, **SHORT)


def test_a_stream_is_the_same_answer(client: OpenAI):
    how = SHORT | {"max_output_tokens": 40}
    whole = client.responses.create(input="Hello", **how)
    events = list(client.responses.create(input="Hello", stream=True, **how))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(pieces) == whole.output_text
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.output_text == whole.output_text
    assert client.responses.retrieve(last.response.id).usage == whole.usage


def test_objects_are_parsed(client: OpenAI):
    answer = client.responses.parse(
        model=MODEL, input="Where?", text_format=Place, max_output_tokens=60, extra_body={"seed": 1}
    )
    assert answer.output_parsed is not None
    assert answer.output_parsed.city in ("Paris", "Rome")


def test_functions_are_called_and_answered(client: OpenAI):
    answer = seeded(client, input="Where?", tool_choice={"type": "function", "name": "weather"})
    [call] = answer.output
    assert call.type == "function_call"
    assert json.loads(call.arguments)["city"] in ("Paris", "Rome")
    told: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny."}
    after = client.responses.create(input=[told], previous_response_id=answer.id, tools=[TOOL], **SHORT)
    items: Any = [{"role": "user", "content": "Where?"}, call.model_dump(exclude_none=True), told]
    assert after.usage == client.responses.create(input=items, tools=[TOOL], **SHORT).usage


def test_a_call_is_streamed_in_pieces(client: OpenAI):
    events = list(
        seeded(client, input="Where?", tool_choice="required", parallel_tool_calls=False, stream=True)
    )
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    [call] = [item for item in events[-1].response.output if item.type == "function_call"]
    assert "".join(pieces) == call.arguments
    assert [event.item.id for event in events if event.type == "response.output_item.done"] == [call.id]


def test_log_probabilities(client: OpenAI):
    answer: Any = client.responses.create(
        input="Hello", include=["message.output_text.logprobs"], top_logprobs=2, **SHORT
    )
    tokens = answer.output[0].content[0].logprobs
    assert [len(token.top_logprobs) for token in tokens] == [2] * 6


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tools": [{"type": "web_search"}]}, "only tools of the type `function`"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "message"),
        ({"input": []}, "empty"),
        ({"temperature": 9}, "temperature"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_done_is_said(client: OpenAI, more: Any, words: str):
    with pytest.raises(openai.UnprocessableEntityError, match=words):
        client.post("/responses", body={"model": MODEL, "input": "Hello"} | more, cast_to=object)


def test_lines_of_a_batch_are_responses_too(client: OpenAI):
    lines = [{"custom_id": text, "method": "POST", "url": "/v1/responses"} for text in ("One", "Two")]
    told = [line | {"body": SHORT | {"input": line["custom_id"]}} for line in lines]
    content = "\n".join(map(json.dumps, told)).encode()
    file = client.files.create(purpose="batch", file=("lines.jsonl", content))
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/responses", completion_window="24h")
    until = time.monotonic() + 60
    while (batch := client.batches.retrieve(batch.id)).status != "completed":
        assert time.monotonic() < until
        time.sleep(0.05)
    answers = [json.loads(line) for line in client.files.content(str(batch.output_file_id)).text.splitlines()]
    assert [answer["custom_id"] for answer in answers] == ["One", "Two"]
    kept = client.responses.retrieve(answers[1]["response"]["body"]["id"])
    assert kept.output_text == client.responses.create(input="Two", **SHORT).output_text
