"""How long until the page is there: our whole program beside the smallest Gradio app, taking turns."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.bench.report import section
from tests.running import ROOT, environment

ROUNDS = 7
GOAL = 1.3
ONE_BUTTON = """
import gradio as gr
with gr.Blocks() as demo:
    gr.Button("Hello")
demo.launch(quiet=True)
"""


def seconds_until_page(command: list[str], place: Path) -> float:
    """From the start of the process to HTTP 200 on `/`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = environment(place, GRADIO_SERVER_PORT=str(port), GRADIO_ANALYTICS_ENABLED="False")
    variables["MODEL_CARDS_DIR"] = str(ROOT / "model_cards")
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/", timeout=30).status_code == 200:
                    return time.perf_counter() - started
            except httpx.TransportError:
                if process.poll() is not None:
                    raise RuntimeError(f"{command} ended with status {process.returncode}") from None
                time.sleep(0.01)
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure both in turn and write the section; the first round, which warms the disk, is not counted."""
    commands = {"ours": ["app.py"], "one button": ["-c", ONE_BUTTON]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as place:
        for _ in range(ROUNDS + 1):
            for name, arguments in commands.items():
                times[name].append(seconds_until_page([sys.executable, *arguments], Path(place)))
    ours, theirs = (statistics.median(times[name][1:]) for name in ("ours", "one button"))
    section(
        "Page reachable",
        f"From process start to HTTP 200 on `/`, median of {ROUNDS}, taking turns "
        f"(`tests/bench/bench_startup.py`; goal: at most {GOAL} ×).\n\n"
        "| program | seconds | least | most |\n|---|---|---|---|\n"
        f"| Inference Chat | {ours:.2f} | {min(times['ours'][1:]):.2f} | {max(times['ours'][1:]):.2f} |\n"
        f"| one-button Gradio app | {theirs:.2f} | {min(times['one button'][1:]):.2f} "
        f"| {max(times['one button'][1:]):.2f} |\n\n"
        f"**Ratio: {ours / theirs:.2f}** (load of the machine while measuring: {os.getloadavg()[0]:.1f})",
    )


if __name__ == "__main__":
    main()
