"""OpenAI's own Python client, unmodified, at the routes below `/v1`."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from inference_chat.api.openai.audio import subtitles
from inference_chat.events import Span
from tests.server import Server

MODEL = "tiny-llama"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
SHORT: dict[str, Any] = {"max_tokens": 6, "temperature": 0}


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_models_are_listed_and_found(client: OpenAI):
    assert [model.id for model in client.models.list()] == ["tiny-llama@1.0.0"]
    assert client.models.retrieve(MODEL).owned_by == "inference-chat"


def test_a_chat_is_answered(client: OpenAI):
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, **SHORT)
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].message.role == "assistant"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 6
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 6


def test_a_stream_is_the_same_answer_and_ends_with_the_usage(client: OpenAI):
    whole = client.chat.completions.create(model=MODEL, messages=HELLO, **SHORT)
    options: Any = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options=options, **SHORT
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage == whole.usage


def test_a_next_turn_tells_how_much_had_been_read(client: OpenAI):
    said: Any = [{"role": "user", "content": "a beginning that nobody else has"}]
    first = client.chat.completions.create(model=MODEL, messages=said, **SHORT)
    said += [{"role": "assistant", "content": "-"}, {"role": "user", "content": "and on"}]
    then = client.chat.completions.create(model=MODEL, messages=said, **SHORT)
    known = []
    for answer in (first, then):
        assert answer.usage is not None
        assert answer.usage.prompt_tokens_details is not None
        known.append(answer.usage.prompt_tokens_details.cached_tokens)
    assert known[0] < first.usage.prompt_tokens - 5 <= known[1] < then.usage.prompt_tokens


def test_developers_speak_as_the_system(client: OpenAI):
    def said(role: Any) -> Any:
        messages = [{"role": role, "content": "Be brief."}, *HELLO]
        return client.chat.completions.create(model=MODEL, messages=messages, **SHORT).choices

    assert said("developer") == said("system")


def test_several_answers_with_log_probabilities(client: OpenAI):
    answer = client.chat.completions.create(
        model=MODEL, messages=HELLO, n=2, seed=1, max_tokens=3, logprobs=True, top_logprobs=2
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert [len(token.top_logprobs) for token in logprobs.content] == [2, 2, 2]


def test_a_stop_string_ends_the_answer(client: OpenAI):
    text = client.completions.create(model=MODEL, prompt="Once", max_tokens=12, temperature=0).choices[0].text
    stop = text[4:6]
    again = client.completions.create(model=MODEL, prompt="Once", max_tokens=12, temperature=0, stop=stop)
    assert again.choices[0].text == text[: text.index(stop)]
    assert again.choices[0].finish_reason == "stop"


def test_several_prompts_are_several_choices(client: OpenAI):
    answer = client.completions.create(model=MODEL, prompt=["A", "B"], n=2, seed=3, max_tokens=2, logprobs=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    logprobs = answer.choices[3].logprobs
    assert logprobs is not None
    assert logprobs.tokens is not None
    assert "".join(logprobs.tokens) == answer.choices[3].text


def test_a_streamed_completion_is_the_same(client: OpenAI):
    whole = client.completions.create(model=MODEL, prompt=["A", "B"], **SHORT)
    texts = ["", ""]
    for chunk in client.completions.create(model=MODEL, prompt=["A", "B"], stream=True, **SHORT):
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == [choice.text for choice in whole.choices]


def test_refusals_are_the_clients_own_errors(client: OpenAI):
    with pytest.raises(openai.NotFoundError) as lost:
        client.chat.completions.create(model="nobody", messages=HELLO)
    assert lost.value.code == "model_not_found"
    with pytest.raises(openai.UnprocessableEntityError, match="temperature"):
        client.chat.completions.create(model=MODEL, messages=HELLO, temperature=9)
    with pytest.raises(openai.UnprocessableEntityError, match="knows no tools"):
        client.chat.completions.create(
            model=MODEL, messages=HELLO, tools=[{"type": "function", "function": {"name": "f"}}]
        )
    with pytest.raises(openai.UnprocessableEntityError):
        client.completions.create(model=MODEL, prompt=[])


def test_fields_that_change_nothing_here_are_taken(client: OpenAI):
    more: dict[str, Any] = {
        "logit_bias": {},
        "modalities": ["text"],
        "reasoning_effort": "low",
        "verbosity": "low",
        "prediction": {"type": "content", "content": "x"},
        "store": False,
        "metadata": {"a": "b"},
        "service_tier": "auto",
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "p",
    }
    plain = client.chat.completions.create(model=MODEL, messages=HELLO, **SHORT)
    assert (
        client.chat.completions.create(model=MODEL, messages=HELLO, **SHORT, **more).choices == plain.choices
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"functions": [{"name": "f"}]}, "use `tools`"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"temprature": 1}, "temprature"),
    ],
)
def test_fields_that_would_change_something_are_not(client: OpenAI, more: dict[str, Any], words: str):
    with pytest.raises(openai.UnprocessableEntityError, match=words):
        client.chat.completions.create(model=MODEL, messages=HELLO, extra_body=more)


def test_a_model_that_cannot_embed_says_so(client: OpenAI):
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        client.embeddings.create(model=MODEL, input="Hello")
    assert refused.value.code == "unsupported_task"


def test_every_refusal_below_v1_has_openais_shape(server: Server):
    with httpx.Client(base_url=server.url) as http:
        answers = [
            http.get("/v1/nothing"),
            http.post("/v1/chat/completions", content="{"),
            http.post("/v1/chat/completions", content="{", headers={"Content-Type": "application/json"}),
            http.post("/v1/chat/completions", json={}, headers={"sec-fetch-site": "cross-site"}),
        ]
    assert [answer.status_code for answer in answers] == [404, 415, 422, 403]
    assert all(answer.json()["error"].keys() == {"message", "type", "param", "code"} for answer in answers)


def test_subtitles():
    spans = [Span(start_s=0, end_s=1.5, text=" one"), Span(start_s=3661.25, end_s=3662, text="two")]
    assert subtitles(spans, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\none\n\n2\n01:01:01,250 --> 01:01:02,000\ntwo\n"
    )
    assert subtitles(spans, "vtt").startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\none\n")
