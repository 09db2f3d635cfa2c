"""Clients that go away while the server works for them, and silences that proxies must not cut."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect

from inference_chat.api import streaming
from inference_chat.schema import JSON
from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings

ENDLESS: JSON = {"max_tokens": 7000, "temperature": 0}


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose model talks for many seconds if nobody stops it."""
    folder = tmp_path_factory.mktemp("patient")
    tiny.card(tiny.build(folder / "models" / "talker", window=8192), name="talker")
    service = Service(settings(folder, folder / "models"))
    with serving(service) as server:
        server.call(service.models.load("talker"))
        yield server


def ended(server: Server, within: float = 30) -> str | None:
    """How the newest run ended, once nothing runs any more."""
    deadline = time.monotonic() + within
    while server.service.jobs.counts != (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return server.service.records.recent(1)[0].finish_reason


def body_of(kind: str, server: Server, http: httpx.Client, *, stream: bool) -> tuple[str, JSON]:
    """A path and a request whose answer takes long."""
    if kind == "inference":
        return "/inference/text", {
            "prompt": "go",
            "parameters": ENDLESS,
            "stream": stream,
            "use_cache": False,
        }
    session = http.post("/chat/start", json={"settings": ENDLESS}).json()["session_id"]
    return f"/chat/{session}/message", {"content": "go", "stream": stream}


@pytest.mark.parametrize("kind", ["inference", "chat"])
def test_a_reader_that_goes_stops_the_compute(patient: Server, kind: str):
    with patient.http() as http:
        path, body = body_of(kind, patient, http, stream=True)
        with http.stream("POST", path, json=body) as answer:
            lines = answer.iter_lines()
            while "event: token" not in next(lines):
                pass
    assert ended(patient) == "cancelled"


@pytest.mark.parametrize("kind", ["inference", "chat"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_does_not_wait_stops_the_compute(patient: Server, kind: str, stream: bool):
    with patient.http() as http:
        path, body = body_of(kind, patient, http, stream=stream)
        request = http.build_request("POST", path, json=body)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    raw = socket.create_connection(("127.0.0.1", patient.port))
    raw.sendall(f"{head}Content-Length: {len(request.content)}\r\n\r\n".encode() + request.content)
    while patient.service.jobs.counts == (0, 0):
        time.sleep(0.01)
    raw.close()
    assert ended(patient) == "cancelled"


def test_the_model_serves_the_next_one_afterwards(patient: Server):
    test_a_reader_that_goes_stops_the_compute(patient, "inference")
    with patient.http() as http:
        body = {"prompt": "next", "parameters": {"max_tokens": 2, "temperature": 0}}
        assert http.post("/inference/text", json=body).json()["usage"]["completion_tokens"] == 2


# --- the bridge by itself -----------------------------------------------------------------------


async def unhurried(closed: list[str], pause: asyncio.Event) -> AsyncGenerator[JSON, None]:
    try:
        yield {"type": "token", "text": "a\n\nb"}
        await pause.wait()
        yield {"type": "token", "text": "c"}
    finally:
        closed.append("source")


@pytest.mark.parametrize("read", [0, 1, 2])
async def test_the_source_is_closed_wherever_the_reader_stops(read: int):
    closed: list[str] = []
    async with aclosing(streaming._bytes(unhurried(closed, asyncio.Event()), streaming.FRAMES)) as encoded:
        pending = None
        for number in range(read):
            pending = asyncio.ensure_future(anext(encoded))
            if number == 0:
                assert b'"a\\n\\nb"' in await pending
        if read == 2:
            assert pending is not None
            await asyncio.sleep(0)
            pending.cancel()
            await asyncio.wait((pending,))
    assert closed == (["source"] if read else [])


async def test_long_silences_are_filled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "KEEPALIVE_SECONDS", 0.001)
    pause = asyncio.Event()
    async with aclosing(streaming._bytes(unhurried([], pause), streaming.FRAMES)) as encoded:
        got = [await anext(encoded), await anext(encoded), await anext(encoded)]
        pause.set()
        while (last := await anext(encoded)) == streaming.KEEPALIVE:
            pass
    assert got[1:] == [streaming.KEEPALIVE] * 2
    assert b'"c"' in last


@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_a_stream_lets_go_when_sending_fails(version: str):
    closed: list[str] = []
    response = streaming.EventStream(
        streaming._bytes(unhurried(closed, asyncio.Event()), streaming.FRAMES),
        lambda: closed.append("reader"),
    )

    async def receive() -> JSON:
        return await asyncio.Future()

    async def send(message: Any) -> None:
        raise OSError("the line is cut")

    with pytest.raises((OSError, ClientDisconnect)):
        await response({"type": "http", "asgi": {"spec_version": version}}, receive, send)
    assert closed[0] == "reader"


async def test_an_unexpected_failure_is_the_last_frame(caplog: pytest.LogCaptureFixture):
    async def broken() -> AsyncGenerator[JSON, None]:
        yield {"type": "token"}
        raise ZeroDivisionError("secret")

    frames = [frame async for frame in streaming._to_end(broken(), streaming.FRAMES)]
    assert (frames[-1]["type"], frames[-1]["code"]) == ("error", "internal_error")
    assert "secret" not in str(frames)
    assert "secret" in caplog.text
