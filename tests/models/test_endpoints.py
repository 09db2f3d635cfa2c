"""Models that another server runs: a second instance of this program, over a real socket."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest

from inference_chat.registry.registry import ModelRecord
from inference_chat.runners import EndpointRunner
from inference_chat.service import Service
from tests import tiny
from tests.server import Server, one_model, serving, settings

KEY = "sesame-opens-4711"
HERE = (ip_network("127.0.0.1/32"),)
LONG = {"max_tokens": 3500, "temperature": 0}
ALLOWED: dict[str, Any] = {"endpoint_networks": HERE, "endpoint_keys": ("FAR_KEY@127.0.0.1",)}


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that runs the model; it asks for a key."""
    place = tmp_path_factory.mktemp("far")
    model = tiny.card(tiny.endless(tiny.build(place / "far-llama", window=4096)), "far-llama")
    own = settings(place, one_model(place / "models", model), api_keys=(KEY,))
    with serving(Service(own)) as server:
        yield server


@pytest.fixture
def near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server that people use; it has no model of its own."""
    monkeypatch.setenv("FAR_KEY", KEY)
    monkeypatch.setattr(EndpointRunner, "pause", 0.01)
    with serving(Service(settings(tmp_path, **ALLOWED))) as server:
        yield server


def register(near: Server, far: str, **more: Any) -> httpx.Response:
    endpoint = {"url": f"{far}/v1", "model": "far-llama", "key_env": "FAR_KEY"} | more
    with near.http() as client:
        return client.post("/models", json={"name": "cloud", "endpoint": endpoint})


def ask(server: Server, model: str, **more: Any) -> httpx.Response:
    said = {} if "prompt" in more else {"messages": [{"role": "user", "content": "Hello!"}]}
    body = said | {
        "model": model,
        "parameters": {"temperature": 0, "max_tokens": 8} | more.pop("parameters", {}),
    }
    with server.http(headers={"X-API-Key": KEY}) as client:
        return client.post("/inference/text", json=body | more)


def running(server: Server) -> int:
    return int(server.call(server.service.stats())["queue"]["running"])


def test_it_is_registered_once_it_has_answered(near: Server, far: Server):
    record = register(near, far.url).raise_for_status().json()
    assert (record["source"], record["memory_estimate"], record["tasks"]) == (
        "endpoint",
        0,
        ["text-generation"],
    )
    assert record["endpoint"]["key_env"] == "FAR_KEY"
    assert KEY not in json.dumps(record) + near.service.settings.registry_path.read_text()


def test_it_answers_as_it_does_over_there(near: Server, far: Server):
    register(near, far.url).raise_for_status()
    here, there = ask(near, "cloud").json(), ask(far, "far-llama").json()
    assert here["output"]["text"] == there["output"]["text"] != ""
    assert (here["usage"], here["finish_reason"]) == (there["usage"], there["finish_reason"])
    assert near.call(near.service.models.get("cloud"))["metrics"]["requests"] == 1


def test_a_prompt_is_gone_on_with(near: Server, far: Server):
    register(near, far.url).raise_for_status()
    answers = [
        ask(server, model, prompt="Once upon").raise_for_status().json()["output"]["text"]
        for server, model in ((near, "cloud"), (far, "far-llama"))
    ]
    assert answers[0] == answers[1] != ""


def test_chats_stream_and_a_stop_ends_the_computing_over_there(near: Server, far: Server):
    register(near, far.url).raise_for_status()
    with near.http() as client:
        chat = client.post("/chat/start", json={"model": "cloud"}).json()["session_id"]
        with near.socket(chat) as socket:
            socket.send("message", content="Hello!", settings=LONG)
            pieces = [socket.next("token")["text"] for _ in range(3)]
            assert running(far) == 1
            socket.send("stop")
            message = socket.next("message")["message"]
    assert message["finish_reason"] == "cancelled"
    assert message["content"].startswith("".join(pieces))
    until = time.monotonic() + 30
    while running(far) and time.monotonic() < until:
        time.sleep(0.02)
    assert running(far) == 0


def test_a_schema_is_kept_to_over_there(near: Server, far: Server):
    register(near, far.url).raise_for_status()
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    form = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {**schema, "additionalProperties": False}},
    }
    text = ask(near, "cloud", parameters={"response_format": form, "max_tokens": 40}).json()["output"]["text"]
    assert isinstance(json.loads(text)["a"], bool)


def test_a_wrong_key_is_said_and_never_shown(near: Server, far: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAR_KEY", "wrong-4711")
    answer = register(near, far.url)
    assert answer.status_code == 422
    assert "FAR_KEY" in answer.json()["detail"]
    assert "4711" not in answer.text


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"key_env": "DATABASE_URL"}, 403, "ENDPOINT_KEYS=DATABASE_URL@127.0.0.1"),
        ({"model": "far-lama"}, 422, "There are: far-llama@1.0.0"),
        ({"url": "http://127.0.0.1:9/v1"}, 422, "cannot be reached"),
        ({"url": "http://10.0.0.1/v1", "key_env": None}, 403, "ENDPOINT_NETWORKS"),
        ({"url": "http://[::ffff:169.254.169.254]/", "key_env": None}, 403, "ENDPOINT_NETWORKS"),
        ({"url": "http://me:secret@127.0.0.1/"}, 422, "key_env"),
        ({"url": "file:///etc/passwd"}, 422, "http(s)"),
    ],
)
def test_what_cannot_be_registered_is_told_why(
    near: Server, far: Server, more: dict[str, Any], status: int, said: str
):
    answer = register(near, far.url, **more)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert near.service.registry.list()[1] == 0


def test_an_endpoint_that_is_down_is_left_alone_after_a_while(near: Server, far: Server):
    near.call(near.service.models.get(register(near, far.url).json()["id"]))
    near.service.registry.update("cloud", endpoint={"url": "http://127.0.0.1:9/v1", "model": "x"})
    first = ask(near, "cloud")
    assert (first.status_code, first.json()["code"]) == (503, "endpoint_unavailable")
    assert "cannot be reached" in first.json()["detail"]
    second = ask(near, "cloud")
    assert "5 times in a row" in second.json()["detail"]
    assert int(second.headers["Retry-After"]) > 20


def test_a_card_names_an_endpoint_without_asking_it(tmp_path: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "cloud.md").write_text(
        "---\npipeline_tag: image-text-to-text\ninference_chat:\n  endpoint:\n"
        "    url: https://api.example.com/v1\n    model: big\n    key_env: BIG_KEY\n---\nA large model.\n"
    )
    service = Service(settings(tmp_path, tmp_path / "models"))
    assert service.models.register_cards(tmp_path / "models") == ()
    record: ModelRecord = service.registry.get("cloud")
    assert (record.source, record.tasks) == ("endpoint", ("image-text-to-text",))


def test_many_are_asked_at_once(near: Server, far: Server):
    register(near, far.url).raise_for_status()
    with near.http() as client, ThreadPoolExecutor(4) as threads:
        chats = [client.post("/chat/start", json={"model": "cloud"}).json()["session_id"] for _ in range(4)]

        def begin(chat: str) -> int:
            with near.socket(chat) as socket:
                socket.send("message", content=f"Hello {chat}!", settings=LONG)
                socket.next("token")
                together.wait(20)
                most = running(far)
                together.wait(20)
                socket.send("stop")
                socket.next("message")
            return most

        together = Barrier(4)
        assert list(threads.map(begin, chats)) == [4] * 4


def test_beside_a_model_of_here_it_takes_no_place_and_costs_nothing_that_is_measured(
    near: Server, far: Server, tmp_path: Path
):
    register(near, far.url).raise_for_status()
    own = tiny.build(tmp_path / "own")
    asked = {"prompt": "Hi", "parameters": {"max_tokens": 4, "temperature": 0}}
    with near.http() as client:
        client.post("/models", json={"name": "own", "file_path": str(own)}).raise_for_status()
        body = {"models": ["cloud", "own"], "input": asked}
        told = client.post("/models/compare", json=body).raise_for_status().json()
    assert (told["order"], told["notes"]) == ("parallel", [])
    cloud, here = told["table"]
    assert cloud["latency_ms"] > 0
    assert [cloud[name] for name in ("compute_ms", "load_ms", "energy_j", "memory")] == [None] * 4
    assert min(here["compute_ms"], here["energy_j"], here["memory"]) > 0
