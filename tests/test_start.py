"""Starting and stopping: each way to start it, and each reason why it cannot."""

import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from inference_chat.errors import SettingsError
from inference_chat.start import listen

from .running import APP, MODULE, ended, running

UVICORN = (sys.executable, "-m", "uvicorn", "app:app", "--port", "0")


@pytest.mark.parametrize("command", [APP, MODULE, UVICORN], ids=["app.py", "-m", "uvicorn"])
def test_every_way_to_start_serves_the_page_and_the_api(tmp_path: Path, command: tuple[str, ...]):
    with running(tmp_path, *command) as (url, _):
        assert "Inference Chat" in httpx.get(url, timeout=60).text
        assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200
        assert httpx.get(f"{url}/models", timeout=60).json()["items"] == []


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_asked_and_without_a_traceback(tmp_path: Path, asked: signal.Signals):
    with running(tmp_path, *MODULE) as (_, process):
        process.send_signal(asked)
        output, _ = process.communicate(timeout=120)  # on a slow machine torch may be on its way in
    assert process.returncode in (0, -asked)
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GRADIO_SERVER_PORT", "many"),
        ("INFERENCE_SERVICE_PORT", "70000"),
        ("DATABASE_URL", "mongodb://x"),
        ("DATABASE_URL", "postgresql+nothing://x"),
        ("MEMORY_LIMIT_MB", "lots"),
        ("RATE_LIMIT", "often"),
        ("LOG_LEVEL", "loud"),
        ("DEVICE", "abacus"),
    ],
)
def test_a_bad_setting_is_named_in_one_line(tmp_path: Path, variable: str, value: str):
    port = {"INFERENCE_SERVICE_PORT": "GRADIO_SERVER_PORT"}.get(variable)
    run = ended(tmp_path, **{variable: value}, **({port: ""} if port else {}))
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 1
    assert run.stderr.startswith(variable)
    assert value in run.stderr or variable == "DATABASE_URL"


def test_a_port_in_use_is_named_with_the_variable_that_changes_it(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        run = ended(tmp_path, GRADIO_SERVER_PORT=port)
    assert run.returncode == 2
    assert port in run.stderr
    assert "GRADIO_SERVER_PORT" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_folder_that_gradio_cannot_write_in_is_named_in_one_line(tmp_path: Path):
    (tmp_path / "file").touch()
    run = ended(tmp_path, GRADIO_TEMP_DIR=str(tmp_path / "file" / "folder"))
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 1
    assert "GRADIO_TEMP_DIR" in run.stderr
    assert str(tmp_path / "file") in run.stderr


def test_an_unknown_argument_is_refused(tmp_path: Path):
    run = ended(tmp_path, *MODULE, "--share")
    assert (run.returncode, "--share" in run.stderr) == (2, True)


@pytest.mark.parametrize(
    ("host", "word"), [("192.0.2.1", "GRADIO_SERVER_NAME"), ("no such host", "127.0.0.1")]
)
def test_an_address_of_another_machine_is_refused(host: str, word: str):
    with pytest.raises(SettingsError, match=word):
        listen(host, 0)


def test_listens_on_a_free_port():
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0
