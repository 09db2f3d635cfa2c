"""The program itself, started as people start it: in a process of its own, on a free port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
APP = (sys.executable, "app.py")
MODULE = (sys.executable, "-m", "inference_chat")


def environment(place: Path, **variables: str) -> dict[str, str]:
    """The machine's environment with all of the program's files below `place`, and a free port."""
    own = {
        "GRADIO_SERVER_PORT": "0",
        "DATABASE_URL": f"sqlite:{place}/inference.db",
        "REGISTRY_PATH": f"{place}/registry.json",
        "MODEL_CARDS_DIR": f"{place}/model_cards",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **own, **variables}


@contextmanager
def running(place: Path, *command: str, **variables: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the program; yields its URL once the page is there, and stops it as Ctrl+C would."""
    process = subprocess.Popen(
        command or APP,
        cwd=ROOT,
        env=environment(place, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield _address(process), process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def ended(place: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program where it cannot start, to its end."""
    return subprocess.run(
        command or APP,
        cwd=ROOT,
        env=environment(place, **variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _address(process: "subprocess.Popen[str]") -> str:
    """The URL on the line that says the page is there (ours or uvicorn's)."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := re.search(r"(?:is at|running on) (http://\S+)", line):
            return found[1]
    raise AssertionError("The program ended before it was reachable:\n" + "".join(seen))
