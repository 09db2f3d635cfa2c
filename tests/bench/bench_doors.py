"""What a door costs: a request over HTTP against the same one given to the engine; answers from the cache.

The model echoes, so that nothing but the way is measured. The client is a process of its own, which speaks
over one kept connection (for the cache: over eight) in bytes, as a load generator does. Run with
`python -m tests.bench.bench_doors`.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from inference_chat import runners
from inference_chat.schema import JSON
from inference_chat.service import Service
from tests import tiny
from tests.bench.report import section
from tests.fakes import ANNE, FAMILIES
from tests.server import serving, settings

REQUESTS = 1000
CACHED = 4000
CONNECTIONS = 8
ASK: JSON = {"prompt": "hello to you", "parameters": {"max_tokens": 8, "temperature": 0}}


def main() -> None:
    runners.FAMILIES = FAMILIES
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tiny.card(tiny.build(folder / "models" / "echo"), name="echo")
        with serving(Service(settings(folder, folder / "models"))) as server:
            server.call(server.service.models.load("echo"))
            alone: list[float] = []
            over: list[float] = []
            for _ in range(3):  # in turns, so that a busy moment of the machine meets both
                alone += server.call(by_engine(server.service))
                over += client(server.port, "one")["times"]
            cached = client(server.port, "many")["per_second"]
    load = os.getloadavg()[0]
    engine, door = statistics.median(alone), statistics.median(over)
    section(
        "A request through a door (bench_doors.py)",
        f"Echo runner, {len(over):,} requests one after the other; load average {load:.1f} on "
        f"{os.cpu_count()} cores.\n\n"
        "| | p50 | p95 |\n|---|---|---|\n"
        f"| engine, in the process | {engine:.2f} ms | {p95(alone):.2f} ms |\n"
        f"| `POST /inference/text` | {door:.2f} ms | {p95(over):.2f} ms |\n\n"
        f"The door adds {door - engine:.2f} ms (goal: at most 3). From the cache, {CONNECTIONS} connections: "
        f"{cached:,.0f} answers a second (goal: 1,000).",
    )


async def by_engine(service: Service) -> list[float]:
    """Milliseconds of each request from its parameters to the whole answer."""
    times = []
    for _ in range(REQUESTS // 3):
        began = time.perf_counter()
        job = await service.infer(ANNE, group="text", use_cache=False, **ASK)
        await job.result()
        times.append(1000 * (time.perf_counter() - began))
    return times


def client(port: int, kind: str) -> JSON:
    command = [sys.executable, "-m", __spec__.name, str(port), kind]
    result: JSON = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


async def speak(port: int, body: JSON, times: int) -> list[float]:
    """Milliseconds of each of so many requests on one connection."""
    content = json.dumps(body).encode()
    head = "POST /inference/text HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(content)}\r\n\r\n"
    request, took = head.encode() + content, []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(times):
        began = time.perf_counter()
        writer.write(request)
        answered = await reader.readuntil(b"\r\n\r\n")
        assert answered.startswith(b"HTTP/1.1 200")
        size = next(line for line in answered.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(size.split(b":")[1]))
        took.append(1000 * (time.perf_counter() - began))
    writer.close()
    return took


async def many(port: int) -> float:
    """Answers from the cache in a second."""
    await speak(port, ASK, 1)
    began = time.perf_counter()
    await asyncio.gather(*(speak(port, ASK, CACHED // CONNECTIONS) for _ in range(CONNECTIONS)))
    return CACHED / (time.perf_counter() - began)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[2] == "one":
        print(
            json.dumps(
                {"times": asyncio.run(speak(int(sys.argv[1]), ASK | {"use_cache": False}, REQUESTS // 3))}
            )
        )
    else:
        print(json.dumps({"per_second": asyncio.run(many(int(sys.argv[1])))}))
