"""Limits of callers at every door, and quotas of keys; who reads slowly, leaves, or comes in hundreds."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import httpx
import psutil
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from inference_chat import runners, ui
from inference_chat.events import Event, Finished, TextDelta
from inference_chat.schema import Request
from inference_chat.service import Service
from inference_chat.tasks import Task
from tests import tiny
from tests.fakes import EchoRunner
from tests.server import Server, serving, settings


class TalkingRunner(EchoRunner):
    """To `on and on` it says more than anybody could hold, 4 MB a second, until it is stopped."""

    said: ClassVar[int] = 0
    """How often it has said it."""

    def run(self, request: Request, stop: threading.Event) -> Iterator[Event]:
        if request.prompt != "on and on":
            yield from super().run(request, stop)
            return
        while not stop.is_set():
            time.sleep(0.005)
            TalkingRunner.said += 1
            yield TextDelta(text="x" * 20_000)
        yield Finished(finish_reasons=("cancelled",))


@pytest.fixture(autouse=True)
def talking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "FAMILIES", (runners.Family("", TalkingRunner, (Task.TEXT_GENERATION,)),))


def service(folder: Path, **more: Any) -> Service:
    tiny.card(tiny.build(folder / "models" / "echo"), name="echo")
    return Service(settings(folder, folder / "models", **more))


def ask(http: httpx.Client, prompt: str = "a b", **more: Any) -> httpx.Response:
    return http.post("/inference/text", json={"prompt": prompt, "use_cache": False}, **more)


def test_the_limit_holds_at_every_door(tmp_path: Path):
    made = service(tmp_path, rate_limit="3/hour")
    with serving(made, ui.build(made), **ui.MOUNT) as server, server.http() as http:
        session = http.post("/chat/start", json={}).json()["session_id"]
        assert ask(http).status_code == 200
        assert ask(http).status_code == 200
        refused = ask(http)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) > 60
        openai = http.get("/v1/models")
        assert (openai.status_code, openai.json()["error"]["type"]) == (429, "rate_limit_error")
        with server.socket(session) as connected:
            connected.send("message", content="hello")
            told = connected.next("error")
            assert (told["code"], told["status"]) == ("rate_limited", 429)
            assert told["retry_after"] > 60
        client = Client(server.url, verbose=False)
        with pytest.raises(AppError, match="try again in"):
            client.predict("a", api_name="/generate")
        client.close()


def test_a_quota_of_requests_is_each_keys_own(tmp_path: Path):
    with serving(service(tmp_path, api_keys="a,b", quota="2/day")) as server, server.http() as http:
        said = [ask(http, headers={"X-API-Key": key}) for key in "aaab"]
        assert [answer.status_code for answer in said] == [200, 200, 429, 200]
        assert said[2].json()["code"] == "quota_used"
        assert "2 requests per day" in said[2].json()["detail"]
        assert int(said[2].headers["retry-after"]) > 60
        assert http.get("/models", headers={"X-API-Key": "a"}).status_code == 200


def test_a_quota_of_tokens_holds_for_conversations_too(tmp_path: Path):
    with serving(service(tmp_path, quota="100 requests/day, 3 tokens/hour")) as server, server.http() as http:
        session = http.post("/chat/start", json={}).json()["session_id"]
        assert http.post(f"/chat/{session}/message", json={"content": "one two"}).status_code == 200
        refused = http.post(f"/chat/{session}/message", json={"content": "three"})
        assert refused.json()["code"] == "quota_used"
        assert len(http.get(f"/chat/{session}/history").json()["messages"]) == 2


# --- crowds ---------------------------------------------------------------------------------------


def until(reached: Callable[[], bool], within: float = 30) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < within
        time.sleep(0.005)


def quiet(server: Server) -> None:
    """Wait until nothing runs any more."""
    until(lambda: server.service.jobs.counts == (0, 0))


def begin(server: Server) -> socket.socket:
    """A client that has asked for an endless stream, and has read nothing yet."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", server.port))
    body = json.dumps({"prompt": "on and on", "stream": True, "use_cache": False}).encode()
    head = "POST /inference/text HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    raw.sendall(head.encode() + body)
    until(lambda: server.service.jobs.counts != (0, 0))
    return raw


def test_a_reader_that_stalls_is_dropped_and_nobody_else(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with serving(service(tmp_path, reader_timeout_seconds=0.5)) as server, server.http() as http:
        ask(http)
        with begin(server):
            assert ask(http).json()["output"]["text"] == "a b "
            quiet(server)
        until(lambda: "A client was dropped" in caplog.text)
        assert "cancelled" in [run.finish_reason for run in server.service.records.recent(3)]
        assert ask(http).status_code == 200


def test_a_client_gone_in_mid_stream_stops_the_compute(tmp_path: Path):
    with serving(service(tmp_path)) as server, server.http() as http:
        ask(http)
        raw = begin(server)
        assert b"200 OK" in raw.recv(4096)
        raw.close()
        quiet(server)
        said = TalkingRunner.said
        assert ask(http).status_code == 200  # by the same thread, which would say more in between
        assert TalkingRunner.said == said


def test_a_hundred_streams_at_once(tmp_path: Path):
    def one(http: httpx.Client) -> bool:
        with http.stream("POST", "/inference/text", json={"prompt": "a b c", "stream": True}) as answer:
            return "event: result" in answer.read().decode()

    # A kept connection may be closed by the server at the very moment when it is used again.
    fresh = httpx.Limits(max_connections=100, max_keepalive_connections=0)
    with serving(service(tmp_path)) as server, server.http(limits=fresh) as http:
        ask(http)
        with ThreadPoolExecutor(100) as threads:
            assert all(threads.map(one, [http] * 100))
            held = psutil.Process().memory_info().rss
            for _ in range(3):
                assert all(threads.map(one, [http] * 100))
        assert server.service.jobs.counts == (0, 0)
        assert psutil.Process().memory_info().rss - held < 50e6
        assert http.get("/healthz").status_code == 200


def test_a_thousand_requests_over_the_limit(tmp_path: Path):
    with serving(service(tmp_path, rate_limit="5/hour")) as server, server.http() as http:
        began = psutil.Process().memory_info().rss
        statuses = [ask(http).status_code for _ in range(1005)]
        assert statuses.count(200) == 5
        assert statuses.count(429) == 1000
        assert http.get("/readyz").status_code == 200
        assert psutil.Process().memory_info().rss - began < 50e6
