"""Every promised code, brought about at a running server, and how each door tells it."""

import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from inference_chat import runners
from inference_chat.service import Service
from tests import tiny
from tests.fakes import FAMILIES
from tests.server import Server, serving, settings

STREAM = {"prompt": "for ever", "stream": True}
Ask = Callable[[httpx.Client], httpx.Response]


@contextmanager
def echoing(folder: Path, **more: Any) -> Iterator[Server]:
    """A server whose model says what it hears; see `EchoRunner` for the words that do more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runners, "FAMILIES", FAMILIES)
        if not (folder / "models").exists():
            tiny.card(tiny.build(folder / "models" / "echo"), name="echo")
        with serving(Service(settings(folder, folder / "models", **more))) as running:
            yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("errors")
    with echoing(folder, max_prompt_chars=2000) as running:
        yield running


@pytest.fixture
def pickled(tmp_path: Path) -> str:
    """A model whose weights would run code when they are opened."""
    model = tiny.build(tmp_path / "pickled")
    next(model.glob("*.safetensors")).unlink()
    (model / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    return str(model)


@contextmanager
def busy(server: Server) -> Iterator[None]:
    """Keep the model at work."""
    begun, enough = threading.Event(), threading.Event()

    def listen() -> None:
        with server.http() as http, http.stream("POST", "/inference/text", json=STREAM) as answer:
            for _ in answer.iter_lines():
                begun.set()
                if enough.is_set():
                    return

    thread = threading.Thread(target=listen)
    thread.start()
    assert begun.wait(30)
    try:
        yield
    finally:
        enough.set()
        thread.join(30)


def infer(prompt: str = "x", **more: Any) -> Ask:
    return lambda http: http.post("/inference/text", json={"prompt": prompt, "use_cache": False} | more)


def send(method: str, path: str, **more: Any) -> Ask:
    return lambda http: http.request(method, path, **more)


def problem(answer: httpx.Response, status: int, code: str) -> Any:
    """The whole shape of a refusal, with nothing of the host in it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told.keys() == {"type", "title", "status", "detail", "code"}
    assert (told["status"], told["code"]) == (status, code)
    assert not {"/secret", "Traceback", "/tmp"} & set(answer.text.split())
    return told


ECHO = {"name": "echo", "version": "1.0.0", "model_type": "TextGeneration", "framework": "transformers"} | {
    "file_path": "/models/echo"
}
REFUSED: list[tuple[int, str, Ask]] = [
    (400, "bad_media", send("POST", "/inference/image", json={"image": "data:image/png;base64,AAAA"})),
    (403, "forbidden", send("POST", "/inference/image", json={"image": "http://10.0.0.1/x.png"})),
    (404, "model_not_found", infer(model="nobody")),
    (404, "session_not_found", send("GET", "/chat/nothing")),
    (404, "version_not_found", send("GET", "/models/echo@9.9.9")),
    (404, "not_found", send("GET", "/nothing")),
    (405, "method_not_allowed", send("PUT", "/inference/text")),
    (409, "model_exists", send("POST", "/models", json=ECHO)),
    (413, "too_large", infer("x" * 2001)),
    (415, "unsupported_media_type", send("POST", "/inference/text", content=b"{}")),
    (415, "unsupported_media_type", send("POST", "/chat/start", data={"title": "x"})),
    (422, "invalid_request", infer(colour="red")),
    (422, "invalid_request", send("POST", "/models", json={"name": "a b", "file_path": "/models/x"})),
    (422, "invalid_request", send("POST", "/inference/image", json={})),
    (422, "invalid_request", send("POST", "/inference/video", json={"clip": "data:video/mp4;base64,AAAA"})),
    (422, "invalid_request", send("POST", "/inference/multimodal", json={})),
    (422, "unsupported_task", infer(task="image-classification")),
    (426, "invalid_request", send("GET", "/chat/nothing/ws")),
    (500, "model_failed", infer("fail")),
    (504, "timeout", infer("for ever", timeout_ms=100)),
]


@pytest.mark.parametrize(("status", "code", "ask"), REFUSED, ids=[f"{one[1]}-{one[0]}" for one in REFUSED])
def test_a_refusal_has_its_status_and_code(server: Server, status: int, code: str, ask: Ask):
    with server.http() as http:
        problem(ask(http), status, code)
        assert infer("still here")(http).json()["output"]["text"] == "still here "


def test_pickles_are_refused(server: Server, pickled: str):
    with server.http() as http:
        answer = http.post("/models", json={"name": "pickled", "file_path": pickled})
    assert "safetensors" in problem(answer, 422, "unsafe_model")["detail"]
    assert pickled not in answer.text


def test_a_model_at_work_stays(server: Server):
    with busy(server), server.http() as http:
        for method, path in (("DELETE", "/models/echo"), ("POST", "/models/echo/unload")):
            problem(http.request(method, path), 409, "model_busy")


def test_who_has_no_key_is_told(tmp_path: Path):
    with echoing(tmp_path, api_keys="k") as server, server.http() as http:
        for headers in ({}, {"X-API-Key": "wrong"}):
            answer = http.get("/models", headers=headers)
            problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert http.get("/models", headers={"Authorization": "Bearer k"}).status_code == 200


def test_registration_that_is_off_is_forbidden(tmp_path: Path):
    with echoing(tmp_path, allow_registration=False) as server, server.http() as http:
        problem(http.post("/models", json={"name": "x", "file_path": "/models/x"}), 403, "forbidden")
        problem(http.delete("/models/echo"), 403, "forbidden")


def test_what_helps_later_says_when(tmp_path: Path):
    one_at_a_time = echoing(tmp_path, max_concurrent_inference=1, max_queued_inference=0)
    with one_at_a_time as server, busy(server), server.http() as http:
        answer = infer()(http)
        problem(answer, 503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
    with echoing(tmp_path, rate_limit="1/hour") as server, server.http() as http:
        infer()(http)
        answer = infer()(http)
        problem(answer, 429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 60


def test_a_socket_tells_the_same(server: Server):
    with server.http() as http:
        session = http.post("/chat/start", json={}).json()["session_id"]
    with server.socket(session) as socket:
        for words, status, code in (("fail", 500, "model_failed"), ("x" * 2001, 413, "too_large")):
            socket.send("message", content=words)
            told = socket.next("error")
            assert told.keys() >= {"title", "status", "detail", "code"}
            assert (told["status"], told["code"]) == (status, code)


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


FAIL: Any = {"role": "user", "content": "fail"}
STREAMS: dict[str, Callable[[OpenAI], Any]] = {
    "chat": lambda client: client.chat.completions.create(model="echo", messages=[FAIL], stream=True),
    "completions": lambda client: client.completions.create(model="echo", prompt="fail", stream=True),
    "responses": lambda client: client.responses.create(model="echo", input="fail", stream=True),
}


@pytest.mark.parametrize("route", STREAMS)
def test_a_failure_in_mid_stream_is_the_clients_own_error(client: OpenAI, route: str):
    heard: list[str] = []

    def read() -> None:
        heard.extend(piece.model_dump_json() for piece in STREAMS[route](client))

    with pytest.raises(openai.APIError, match="failed") as raised:
        read()
    assert "half" in "".join(heard)
    assert "/secret" not in str(raised.value)
