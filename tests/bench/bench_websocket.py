"""What the socket costs: a 1,000-token answer after 50 messages, against the engine alone.

Both sides answer the same conversation in the same server and take turns; the client of the socket is
a process of its own. Run with `python -m tests.bench.bench_websocket`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}

from websockets.sync.client import connect

from inference_chat.access import Caller
from inference_chat.service import Service
from tests import tiny
from tests.bench.bench_ui import MESSAGES, OPTIONS, TOKENS, by_engine, converse
from tests.bench.report import section
from tests.browser.conftest import endless
from tests.server import Server, Socket, serving, settings

ROUNDS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = endless(tiny.build(place / "models" / "bench", window=8192, layers=12, width=128))
        tiny.card(model, name="bench", inference_chat={"parameters": OPTIONS})
        service = Service(settings(place, place / "models"))
        with serving(service) as server:
            server.call(service.models.load("bench"))
            report(*measure(server))


def measure(server: Server) -> tuple[list[float], list[float]]:
    """Tokens per second of the engine alone, and as the socket's client sees them."""
    caller = Caller(owner="everyone", address="127.0.0.1")
    session = converse(server.service)
    head = server.service.sessions.get(session, caller.owner).head_id
    alone, seen = [], []
    for number in range(ROUNDS + 1):
        engine = server.call(by_engine(server.service, caller, session))
        server.service.sessions.select(session, str(head))
        socket = by_socket(server, session, str(head))
        if number:  # the first round warms up
            alone.append(engine)
            seen.append(socket)
    return alone, seen


def by_socket(server: Server, session: str, parent: str) -> float:
    command = [sys.executable, "-m", __spec__.name, f"{server.ws}/chat/{session}/ws", parent]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def client(url: str, parent: str) -> float:
    """Tokens per second as they were written and as they arrived, whichever is slower.

    A client that is late for the first token and catches up later would seem faster than the engine.
    """
    with connect(url) as connection:
        socket = Socket(connection)
        socket.send("message", content="And now the whole story.", parent_id=parent)
        socket.next("token")
        start = last = time.perf_counter()
        while (frame := json.loads(connection.recv(60)))["type"] != "message":
            if frame["type"] == "token":
                last = time.perf_counter()
    assert frame["message"]["usage"]["completion_tokens"] == TOKENS
    written = frame["message"]["timing"]["decode_ms"] / 1000
    return (TOKENS - 1) / max(written, last - start)


def report(alone: list[float], seen: list[float]) -> None:
    section(
        "An answer over the socket (bench_websocket.py)",
        f"{TOKENS:,} tokens after {MESSAGES} messages, {ROUNDS} rounds in turns, medians.\n\n"
        "| | tokens/s |\n|---|---:|\n"
        f"| engine alone | {median(alone):,.0f} |\n| arriving at the client | {median(seen):,.0f} |\n\n"
        f"The socket costs {1 - median(seen) / median(alone):.1%} (goal: at most 5 %).",
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(client(*sys.argv[1:]))
    else:
        main()
