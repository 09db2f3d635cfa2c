"""What the socket costs: a 1,000-token answer after 50 messages, against the engine alone.

Both sides answer the same conversation in the same server and take turns; the client of the socket is
a process of its own. Run with `python -m tests.bench.bench_websocket`.
"""

import json
import subprocess
import sys
import time

from websockets.sync.client import connect

from tests.bench.answers import CALLER, MESSAGES, TOKENS, bench_server, by_engine, compared, converse
from tests.bench.report import section
from tests.server import Server, Socket

ROUNDS = 5


def main() -> None:
    alone, seen = [], []
    with bench_server() as server:
        session = converse(server.service)
        head = str(server.service.sessions.get(session, CALLER.owner).head_id)
        for number in range(ROUNDS + 1):
            engine = server.call(by_engine(server.service, session))
            server.service.sessions.select(session, head)
            socket = by_socket(server, session, head)
            if number:  # the first round warms up
                alone.append(engine)
                seen.append(socket)
    section(
        "An answer over the socket (bench_websocket.py)",
        f"{TOKENS:,} tokens after {MESSAGES} messages, {ROUNDS} rounds in turns.\n\n"
        + compared(alone, seen, "arriving at the client"),
    )


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


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(client(*sys.argv[1:]))
    else:
        main()
