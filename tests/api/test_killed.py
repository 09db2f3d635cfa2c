"""A server process that is killed in mid-reply, and the one that comes after it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests import tiny
from tests.server import Socket

ROOT = Path(__file__).parent.parent.parent
STARTS = {
    "python": [sys.executable, str(ROOT / "app.py")],
    "uvicorn": [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT), "--port", "0", "app:app"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny.card(tiny.build(tmp_path / "models" / "talker", window=8192), name="talker")
    return tmp_path


@contextmanager
def started(folder: Path, command: list[str]) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A server process whose files are below `folder`, and its URL; it is killed at the end."""
    own = {
        "GRADIO_SERVER_PORT": "0",
        "DATABASE_URL": f"sqlite:{folder}/chat.db",
        "REGISTRY_PATH": str(folder / "registry.json"),
        "MODEL_CARDS_DIR": str(folder / "models"),
    }
    process = subprocess.Popen(
        command,
        env=os.environ | own,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "http://127.0.0.1:" in line)
        url = next(word for word in line.split() if word.startswith("http://"))
        yield process, url
    finally:
        process.kill()
        process.communicate(timeout=30)


def messages(http: httpx.Client, session: str) -> list[Any]:
    found: list[Any] = http.get(f"/chat/{session}/history").raise_for_status().json()["messages"]
    return found


def test_nothing_acknowledged_is_lost(folder: Path):
    with started(folder, STARTS["python"]) as (process, url), httpx.Client(base_url=url, timeout=120) as http:
        made = http.post("/chat/start", json={"settings": {"max_tokens": 4, "temperature": 0}})
        session = made.raise_for_status().json()["session_id"]
        http.post(f"/chat/{session}/message", json={"content": "Hello"}).raise_for_status()
        before = messages(http, session)
        with connect(f"{url.replace('http', 'ws')}/chat/{session}/ws") as connection:
            socket = Socket(connection)
            socket.send("message", content="go", settings={"max_tokens": 7000})
            said = socket.next("typing")["user"]
            socket.next("token")
            process.send_signal(signal.SIGKILL)
            process.wait(30)
    with started(folder, STARTS["python"]) as (_, url), httpx.Client(base_url=url, timeout=120) as http:
        after = messages(http, session)
        assert after[:3] == [*before, said]
        assert [message["status"] for message in after] == ["complete"] * 3 + ["interrupted"]
        assert http.get("/models/talker").json()["name"] == "talker"
        again = http.post(f"/chat/{session}/regenerate", json={"settings": {"max_tokens": 2}})
        assert again.json()["message"]["status"] == "complete"
        assert http.get("/stats").json()["notices"] == []


@pytest.mark.parametrize("start", STARTS)
def test_no_file_of_the_host_is_served(folder: Path, start: str):
    with started(folder, STARTS[start]) as (_, url), httpx.Client(base_url=url, timeout=120) as http:
        assert http.get("/").status_code == 200
        for path in (os.__file__, folder / "chat.db", folder / "registry.json", "/etc/passwd"):
            for door in ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/static/", "/assets/"):
                assert http.get(f"{door}{path}").status_code in (403, 404, 405), (door, path)
