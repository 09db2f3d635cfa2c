"""Answers said aloud at every door: by the model's own voice, or read by a model that speaks."""

import base64
import io
import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from gradio_client import Client
from openai import OpenAI
from websockets.sync.client import connect

from inference_chat import ui
from inference_chat.media import data_url, open_sound
from inference_chat.service import Service
from inference_chat.ui.actions import Actions
from tests import tiny
from tests.fakes import ANNE
from tests.runners.omni_families import qwen2_5_omni_voiced
from tests.runners.sound_families import vits
from tests.server import Server, serving, settings

SAID: list[Any] = [{"role": "user", "content": "Hello"}]
BEEP = io.BytesIO()
with wave.open(BEEP, "wb") as file:
    file.setparams((1, 2, 16_000, 0, "NONE", ""))
    file.writeframes(b"\0\0\xff\x3f" * 8000)
SOUND = {"type": "input_audio", "input_audio": {"data": base64.b64encode(BEEP.getvalue()).decode()}}
SHORT: dict[str, Any] = {"max_tokens": 4, "temperature": 0}
ALOUD: dict[str, Any] = {"modalities": ["text", "audio"], **SHORT}
LONGER = {"max_tokens": 40}  # long enough to have letters in it


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("aloud")
    tiny.card(tiny.build(folder / "models" / "words"), name="words")
    qwen2_5_omni_voiced(folder / "models" / "omni")
    vits(folder / "models" / "reader")
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def heard(data: str) -> Any:
    return open_sound(base64.b64decode(data)).mono


# --- OpenAI's client ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["wav", "mp3", "flac", "opus"])
def test_openai_s_client_hears_an_answer(client: OpenAI, form: Any):
    audio: Any = {"voice": "alloy", "format": form}
    answer = client.chat.completions.create(model="omni", messages=SAID, audio=audio, **ALOUD)
    said = answer.choices[0].message
    assert said.audio is not None
    assert said.audio.transcript == said.content
    assert heard(said.audio.data).size > 100


def test_bare_samples(client: OpenAI):
    audio: Any = {"voice": "Ethan", "format": "pcm16"}
    answer = client.chat.completions.create(model="omni", messages=SAID, audio=audio, **ALOUD)
    assert answer.choices[0].message.audio is not None
    assert len(base64.b64decode(answer.choices[0].message.audio.data)) > 200


def test_a_stream_has_the_words_as_ever_and_then_the_sound(client: OpenAI):
    audio: Any = {"voice": "Chelsie", "format": "wav"}
    asked: dict[str, Any] = {"model": "omni", "messages": SAID, "stream": True}
    chunks = list(client.chat.completions.create(audio=audio, **asked, **ALOUD))
    silent = list(client.chat.completions.create(**asked, **SHORT))

    def words(told: Any) -> str:
        return "".join(chunk.choices[0].delta.content or "" for chunk in told)

    sounds = [chunk.choices[0].delta.audio for chunk in chunks]
    assert words(chunks) == words(silent)
    assert [bool(one) for one in sounds] == [False] * (len(chunks) - 2) + [True, False]
    assert sounds[-2] is not None
    assert sounds[-2].transcript == words(chunks)
    assert heard(sounds[-2].data or "").size > 100


def test_a_sound_is_answered_with_a_sound(client: OpenAI):
    turn: Any = [{"role": "user", "content": [SOUND]}]
    answer = client.chat.completions.create(model="omni", messages=turn, **ALOUD)
    assert answer.choices[0].message.audio is not None


def test_without_a_model_one_that_speaks_reads_the_answer(client: OpenAI):
    audio: Any = {"voice": "alloy", "format": "wav"}
    answer = client.chat.completions.create(messages=SAID, audio=audio, model="", **ALOUD | LONGER)
    assert answer.model.startswith("auto")
    assert answer.choices[0].message.audio is not None


def test_a_model_without_a_voice_says_what_would_work(client: OpenAI):
    with pytest.raises(openai.UnprocessableEntityError, match="no voice of its own") as caught:
        client.chat.completions.create(model="words", messages=SAID, **ALOUD)
    assert "text-to-speech" in str(caught.value)


def test_an_unknown_voice_is_named_with_those_there_are(client: OpenAI):
    audio: Any = {"voice": "Bruce", "format": "wav"}
    with pytest.raises(openai.UnprocessableEntityError, match="Chelsie, Ethan"):
        client.chat.completions.create(model="omni", messages=SAID, audio=audio, **ALOUD)


def test_a_sound_that_is_not_kept_is_asked_for_in_words(client: OpenAI):
    turns: Any = [*SAID, {"role": "assistant", "audio": {"id": "audio_1"}}, *SAID]
    with pytest.raises(openai.UnprocessableEntityError, match="send what was said"):
        client.chat.completions.create(model="omni", messages=turns, **ALOUD)


# --- the other doors ------------------------------------------------------------------------------


def test_multimodal_by_rest(http: httpx.Client):
    body = {"model": "omni", "messages": SAID, "parameters": SHORT | {"speak": True}}
    told = http.post("/inference/multimodal", json=body).raise_for_status().json()
    assert told["output"]["sampling_rate"] == 24_000
    assert told["output"]["audio"].startswith("data:audio/wav;base64,")
    assert told["output"]["text"]
    said = told["timing"]["total_ms"] - told["timing"]["first_token_ms"]
    assert told["timing"]["decode_ms"] < said  # its pace is that of the words, without their sound


def test_a_plan_has_the_model_with_a_voice_answer(http: httpx.Client):
    body = {"model": "auto", "messages": SAID, "parameters": SHORT | {"speak": True}}
    told = http.post("/inference/multimodal", json=body).raise_for_status().json()["output"]
    assert [step["model"] for step in told["plan"]] == ["omni@1.0.0"]
    assert told["audio"].startswith("data:audio/wav")


@pytest.fixture
def mute(tmp_path: Path) -> Iterator[Server]:
    """A model that writes, and none with a voice of its own."""
    tiny.card(tiny.build(tmp_path / "models" / "words"), name="words")
    (tmp_path / "later").mkdir()
    with serving(Service(settings(tmp_path, tmp_path / "models"))) as running:
        yield running


def test_a_plan_reads_its_answer_aloud_where_a_model_can(mute: Server, tmp_path: Path):
    body = {"model": "auto", "messages": SAID, "parameters": SHORT | LONGER | {"speak": True}}
    with mute.http() as http:
        told = http.post("/inference/multimodal", json=body)
        assert told.status_code == 404
        assert "text-to-speech" in told.json()["detail"]
        reader = {"name": "reader", "file_path": str(vits(tmp_path / "later" / "reader"))}
        http.post("/models", json=reader).raise_for_status()
        output = http.post("/inference/multimodal", json=body).raise_for_status().json()["output"]
    assert [step["task"] for step in output["plan"]] == ["text-generation", "text-to-speech"]
    assert "audio" not in (output["plan"][1]["output"] or {})
    assert heard(output["audio"].partition(",")[2]).size > 100


def test_multimodal_by_gradio_s_client(server: Server):
    client = Client(server.url, verbose=False)
    told = client.predict(
        "Hello", model="omni", parameters=SHORT | {"speak": True, "voice": "ethan"}, api_name="/multimodal"
    )
    assert told["output"]["audio"].startswith("data:audio/wav")


def test_a_reply_s_sound_is_kept_with_it(http: httpx.Client):
    chat = http.post("/chat/start", json={"model": "omni"}).json()["session_id"]
    body = {"content": "Hello", "settings": SHORT | {"speak": True}}
    said = http.post(f"/chat/{chat}/message", json=body).raise_for_status().json()["message"]
    text, sound = said["content"]
    assert text["type"] == "text"
    url = sound["input_audio"]["data"]
    kept = http.get(f"/media/{url.removeprefix('media:')}").raise_for_status()
    assert open_sound(kept.content).mono.size > 100
    silent = http.post(f"/chat/{chat}/message", json={"content": "And now?", "settings": SHORT})
    assert isinstance(silent.raise_for_status().json()["message"]["content"], str)
    assert http.get(f"/chat/{chat}/export", params={"format": "json"}).is_success


def test_the_socket_tells_of_the_sound(server: Server, http: httpx.Client):
    chat = http.post("/chat/start", json={"model": "omni"}).json()["session_id"]
    with connect(server.url.replace("http", "ws") + f"/chat/{chat}/ws") as socket:
        sent = {"type": "message", "content": "Hello", "settings": SHORT | {"speak": True}}
        socket.send(json.dumps(sent))
        kinds = []
        for frame in map(json.loads, socket):
            kinds.append(frame["type"])
            if frame["type"] in ("message", "error"):
                break
    assert kinds[-1] == "message"
    assert "audio" in kinds
    assert kinds.index("token") < kinds.index("audio")


def test_records_say_who_has_a_voice(http: httpx.Client):
    able = {name: http.get(f"/models/{name}").json()["capabilities"] for name in ("omni", "words")}
    assert "Voice" in able["omni"]
    assert "Voice" not in able["words"]


@pytest.mark.parametrize(("model", "voiced"), [("omni", True), ("auto", True), ("words", False)])
def test_the_page_offers_a_voice_where_there_is_one(server: Server, model: str, voiced: bool):
    told = server.call(Actions(server.service).options(ANNE, model=model))
    assert ("speak" in {one["name"] for one in told["controls"]}) == voiced


def test_a_recording_may_be_answered_in_a_form(http: httpx.Client):
    request = json.dumps({"model": "omni", "task": "any-to-any", "parameters": SHORT | {"speak": True}})
    files = {"audio": ("a.wav", BEEP.getvalue())}
    told = http.post("/inference/multimodal", files=files, data={"request": request})
    assert told.raise_for_status().json()["output"]["audio"]


def test_the_sound_of_the_same_request_is_kept(http: httpx.Client):
    parts = [{"type": "input_audio", "input_audio": {"data": data_url(BEEP.getvalue(), "audio/wav")}}]
    body = {
        "model": "omni",
        "messages": [{"role": "user", "content": parts}],
        "parameters": SHORT | {"speak": True},
    }
    one, again = (http.post("/inference/multimodal", json=body).raise_for_status().json() for _ in range(2))
    assert again["cached"]
    assert one["output"] == again["output"]
