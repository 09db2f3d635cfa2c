"""Other people's clients, unmodified: OpenAI's package and Hugging Face's, at models of several kinds."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from huggingface_hub import InferenceClient, set_client_factory
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils._http import default_client_factory
from openai import OpenAI
from PIL import Image

from inference_chat.media import Sound, wav_bytes
from inference_chat.service import Service
from tests import tiny
from tests.runners.diffusers_models import painter
from tests.server import Server, serving, settings

CARDS = Path(__file__).parents[2] / "model_cards"
HELLO: list[Any] = [{"role": "user", "content": "Hello!"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Paris", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
FORM: Any = {
    "type": "json_schema",
    "json_schema": {"name": "it", "schema": WEATHER["function"]["parameters"]},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The starters that chat, listen and embed, a tiny painter, and a model that knows tools."""
    folder = tmp_path_factory.mktemp("clients")
    models = folder / "models"
    painter(models / "painter")
    caller = tiny.build(models / "caller", window=2048, template=tiny.TOOLS_TEMPLATE)
    tiny.card(caller, name="caller")
    for name in ("starter-chat", "starter-listener", "starter-embedder"):
        (models / name).symlink_to(CARDS / name)
    with serving(Service(settings(folder, models))) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def hub(server: Server) -> Iterator[InferenceClient]:
    """Tests are offline; the client asks for no name but ours, so it may have an open line."""
    set_client_factory(httpx2.Client)
    with InferenceClient(base_url=f"{server.url}/v1", api_key="none", timeout=60) as client:
        yield client
    set_client_factory(default_client_factory)


def test_hugging_faces_client_chats(hub: InferenceClient, client: OpenAI):
    how: Any = {"model": "starter-chat", "messages": HELLO, "max_tokens": 12, "temperature": 0}
    whole = hub.chat.completions.create(**how)
    how |= {"stream": True, "stream_options": {"include_usage": True}}
    pieces: list[Any] = list(hub.chat_completion(**how))
    said = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert said == whole.choices[0].message.content
    assert said == "".join(
        piece.choices[0].delta.content or ""
        for piece in client.chat.completions.create(**how)
        if piece.choices
    )
    assert pieces[-1].usage.total_tokens == whole.usage.total_tokens


def test_hugging_faces_client_needs_no_name_of_a_model(hub: InferenceClient, client: OpenAI):
    said = hub.chat_completion(HELLO, max_tokens=12, temperature=0)
    how: Any = {"messages": HELLO, "max_tokens": 12, "temperature": 0}
    assert (
        said.choices[0].message.content
        == client.chat.completions.create(model="", **how).choices[0].message.content
    )
    assert said.model == client.chat.completions.create(model="starter-chat", **how).model


def test_hugging_faces_client_gets_objects_and_calls(hub: InferenceClient):
    how: Any = {"model": "caller", "messages": HELLO, "max_tokens": 200, "seed": 1}
    written = hub.chat_completion(response_format=FORM, **how).choices[0].message.content
    assert json.loads(str(written))["city"] in ("Paris", "Rome")
    choice: Any = {"function": {"name": "weather"}}
    for named in ("required", choice | {"type": "function"}):
        answer = hub.chat_completion(tools=[WEATHER], tool_choice=named, **how).choices[0].message
        assert answer.tool_calls
        assert json.loads(str(answer.tool_calls[0].function.arguments))["city"] in ("Paris", "Rome")


def test_hugging_faces_client_sees_what_is_wrong(hub: InferenceClient):
    for model, status in (("nobody", 404), ("starter-embedder", 422)):
        with pytest.raises(HfHubHTTPError) as refused:
            hub.chat_completion(HELLO, model=model)
        assert refused.value.response.status_code == status


def test_the_starter_writes_valid_objects(client: OpenAI):
    how: Any = {"model": "starter-chat", "messages": HELLO, "max_tokens": 60, "response_format": FORM}
    for seed in range(3):
        text = client.chat.completions.create(seed=seed, temperature=1, **how).choices[0].message.content
        assert json.loads(str(text))["city"] in ("Paris", "Rome")


def test_pictures_are_drawn(client: OpenAI):
    found = client.images.generate(model="painter", prompt="a house", n=2, extra_body={"seed": 1}).data
    assert found is not None
    pictures = [Image.open(io.BytesIO(base64.b64decode(str(one.b64_json)))) for one in found]
    assert [picture.format for picture in pictures] == ["PNG", "PNG"]


def test_sounds_are_written_down(client: OpenAI):
    import numpy as np

    tone = np.sin(np.arange(16000) / 16000 * 2 * np.pi * 440).astype("float32")
    sound = ("tone.wav", io.BytesIO(wav_bytes(Sound(tone[:, None], 16000))))
    assert isinstance(client.audio.transcriptions.create(model="starter-listener", file=sound).text, str)
    with pytest.raises(openai.BadRequestError):
        client.audio.transcriptions.create(model="starter-listener", file=("x.wav", io.BytesIO(b"nothing")))


def test_words_have_times(client: OpenAI, server: Server):
    speech = CARDS.parent / "examples" / "inputs" / "speech" / "what-is-12-plus-7.ogg"
    heard = client.audio.transcriptions.create(
        model="starter-listener",
        file=speech,
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert heard.words is not None
    assert [word.word for word in heard.words][:2] == ["What", "is"]
    assert [word.start for word in heard.words] == sorted(word.start for word in heard.words)
    with (
        pytest.warns(DeprecationWarning, match="deprecated"),
        pytest.raises(openai.UnprocessableEntityError, match="not translate"),
    ):
        client.audio.translations.create(model="starter-listener", file=speech)


def test_what_was_written_is_penalized(client: OpenAI):
    how: Any = {"model": "starter-chat", "prompt": "hi", "max_tokens": 30, "temperature": 0}
    plain = client.completions.create(**how).choices[0].text
    spread = client.completions.create(**how, frequency_penalty=2, presence_penalty=2).choices[0].text
    assert plain.count("Hi") > 3 * spread.count("Hi")


def test_texts_become_vectors(client: OpenAI):
    near, like, far = client.embeddings.create(
        model="starter-embedder", input=["a small cat", "a little cat", "the price of steel"]
    ).data

    def alike(one: Any, other: Any) -> float:
        return sum(a * b for a, b in zip(one.embedding, other.embedding, strict=True))

    assert alike(near, like) > alike(near, far)


def test_each_refusal_is_the_clients_own_error(client: OpenAI):
    def ask(**more: Any) -> Any:
        return client.chat.completions.create(**{"model": "starter-chat", "messages": HELLO} | more)

    for error, more in (
        (openai.NotFoundError, {"model": "nobody"}),
        (openai.UnprocessableEntityError, {"temperature": 9}),
        (openai.UnprocessableEntityError, {"stream": True, "response_format": {"type": "json_schema"}}),
        (openai.APIStatusError, {"messages": [{"role": "user", "content": "long " * 60_000}]}),
    ):
        with pytest.raises(error):
            ask(**more)
