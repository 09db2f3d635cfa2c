"""The clients of `examples/clients`, as people run them, on the program itself with tiny models."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tiny, tiny_vision
from tests.running import MODULE, ROOT, running

CLIENTS = ROOT / "examples" / "clients"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("clients")
    tiny.card(tiny.build(place / "model_cards" / "starter-chat"), "starter-chat")
    tiny_vision.build("YolosForObjectDetection", place / "model_cards" / "starter-detector")
    with running(place, *MODULE) as (url, _):
        yield url


def said(server: str, place: Path, *command: str) -> str:
    """What a client prints, run in a folder with a photo."""
    tiny_vision.scene().save(place / "photo.png")
    done = subprocess.run(
        command,
        cwd=place,
        # Hugging Face's client takes itself for offline otherwise; it asks nobody but the server.
        env=os.environ | {"INFERENCE_CHAT_URL": server, "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("client", "words"),
    [
        ("rest.py", "tokens)"),
        ("websocket.py", "\n"),
        ("gradio_python.py", "["),
        ("openai_python.py", "Refused: "),
        ("hugging_face.py", "Refused: "),
        ("mcp_client.py", "session_id"),
    ],
)
def test_python(server: str, tmp_path: Path, client: str, words: str):
    output = said(server, tmp_path, sys.executable, str(CLIENTS / client))
    assert output.strip()
    assert words in output


def test_curl(server: str, tmp_path: Path):
    output = said(server, tmp_path, str(CLIENTS / "curl.sh"))
    assert "event: token" in output
    assert '"id":"starter-chat@1.0.0"' in output


@pytest.mark.parametrize("client", ["gradio.mjs", "openai.mjs"])
def test_javascript(server: str, tmp_path: Path, client: str):
    node = shutil.which("node")
    if node is None or not (CLIENTS / "node_modules").is_dir():
        pytest.skip(
            "needs Node.js and `npm ci` in examples/clients; `make test` runs it where npm is installed"
        )
    output = said(server, tmp_path, node, str(CLIENTS / client))
    assert "no-such-model" in output.split("Refused: ")[1]
