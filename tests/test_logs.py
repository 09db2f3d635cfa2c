"""What the program writes while it serves, and how it ends: nothing secret, and nothing lost."""

import contextlib
import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests import tiny

from .running import MODULE, running

KEY = "correct-horse-battery"
SECRET = "attempted-password"


@pytest.mark.parametrize("level", ["debug", "trace"])
def test_json_lines_name_their_request_and_no_secret(tmp_path: Path, level: str):
    with running(tmp_path, *MODULE, LOG_FORMAT="json", LOG_LEVEL=level, API_KEYS=KEY) as (url, process):
        with httpx.Client(base_url=url, headers={"X-API-Key": KEY}) as http:
            http.get("/models", headers={"X-Request-ID": "my-id"}, params={"tag": SECRET}).raise_for_status()
            http.post("/models/none/load", headers={"Authorization": f"Bearer {SECRET}"})
            http.post("/signin", data={"key": SECRET})
            http.post("/signin", data={"key": KEY})
            http.post("/inference/text", content=b"{")
        for key in (KEY, SECRET):
            told = {"Authorization": f"Bearer {key}", "Cookie": f"a={SECRET}"}
            socket = f"{url.replace('http', 'ws')}/chat/none/ws?key={SECRET}"
            with contextlib.suppress(InvalidStatus), connect(socket, additional_headers=told) as connected:
                connected.recv(60)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=120)
    assert KEY not in output
    assert SECRET not in output
    assert '"level": "ERROR"' not in output
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    mine = next(line for line in lines if line.get("request_id") == "my-id")
    assert (mine["method"], mine["path"], mine["status"]) == ("GET", "/models", 200)
    assert mine["logger"] == "inference_chat.requests"
    assert {"time", "level", "ms"} <= mine.keys()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    tiny.card(tiny.build(tmp_path / "model_cards" / "starter-chat", window=8192), "starter-chat")
    return tmp_path


def read_on(socket: ClientConnection, seen: list[Any]) -> None:
    while True:
        seen.append(json.loads(socket.recv(60)))


def test_the_end_is_announced_and_loses_nothing(place: Path):
    long = {"max_tokens": 8000, "temperature": 0}
    seen: list[Any] = []
    with running(place, *MODULE) as (url, process), httpx.Client(base_url=url, timeout=60) as http:
        http.post("/models/starter-chat/load").raise_for_status()
        chat = http.post("/chat/start", json={"settings": long}).json()["session_id"]
        with connect(f"{url.replace('http', 'ws')}/chat/{chat}/ws", max_size=None) as socket:
            socket.send(json.dumps({"type": "message", "content": "go"}))
            while json.loads(socket.recv(60))["type"] != "token":
                pass
            process.send_signal(signal.SIGTERM)
            while (refused := http.get("/models")).status_code == 200:
                pass
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            assert http.get("/readyz").status_code == 503
            with pytest.raises(ConnectionClosed) as closed:
                read_on(socket, seen)
            assert seen[-1]["type"] == "message"
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, "stopped" in closed.value.rcvd.reason) == (1001, True)
        process.communicate(timeout=60)
    with running(place, *MODULE) as (url, _):
        reply = httpx.get(f"{url}/chat/{chat}/history", timeout=60).json()["messages"][-1]
    assert reply["content"]
    assert reply["status"] in ("complete", "cancelled")
