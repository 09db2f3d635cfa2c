"""Eight readers beside a program that takes a whole core, by threads and by how they wait.

`python -m tests.bench.bench_neighbour [--rounds 3]`. Each way to run the engine has a process of its own, as
the environment is read once; they take turns, each alone and then beside the neighbour.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event as Flag

from .random_llama import asked, build, forget, letters
from .report import section

READERS = 8
TOKENS = 24
WAYS: Mapping[str, tuple[int, Mapping[str, str]]] = {
    "1 thread": (1, {}),
    "2 threads": (2, {}),
    "2 threads, `OMP_WAIT_POLICY=passive`": (2, {"OMP_WAIT_POLICY": "passive"}),
}


def engine(folder: str, threads: str) -> None:
    """For each line that comes, the seconds in which all readers have their tokens."""
    import torch

    from inference_chat.runners.checkpoint import inspect
    from inference_chat.runners.device import Placement
    from inference_chat.runners.text import TextRunner

    torch.set_num_threads(int(threads))
    runner = TextRunner(inspect(Path(folder)), Placement("cpu", "bfloat16", "auto"))
    runner.load()
    for number, _ in enumerate(sys.stdin):
        forget(runner)
        start = time.perf_counter()
        runs = [runner.run(asked(letters(100 * number + i, 64), TOKENS), Flag()) for i in range(READERS)]
        while runs := [run for run in runs if next(run, None) is not None]:
            pass
        print(json.dumps(time.perf_counter() - start), flush=True)


class Engine:
    def __init__(self, folder: Path, threads: int, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", __spec__.name, "--engine", str(folder), str(threads)]
        pipe = subprocess.PIPE
        more = {"OMP_NUM_THREADS": str(threads), **environment}
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=os.environ | more)

    def speed(self) -> float:
        """Tokens a second of all readers together; between its turns the process stands still."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        seconds = float(self._process.stdout.readline())
        self._process.send_signal(signal.SIGSTOP)
        return READERS * TOKENS / seconds

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """A program that does nothing but take a core."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(place: Path, rounds: int) -> str:
    folder = build(place / "model")
    engines = {name: Engine(folder, *how) for name, how in WAYS.items()}
    alone: dict[str, list[float]] = {name: [] for name in WAYS}
    beside: dict[str, list[float]] = {name: [] for name in WAYS}
    try:
        for number in range(rounds + 1):
            for name, one in engines.items():
                found = one.speed()
                with neighbour():
                    other = one.speed()
                if number:  # the first round warms up
                    alone[name].append(found)
                    beside[name].append(other)
    finally:
        for one in engines.values():
            one.close()
    rows = [
        f"| {name} | {statistics.median(alone[name]):.0f} | {statistics.median(beside[name]):.0f} | "
        f"{statistics.median(b / a for a, b in zip(alone[name], beside[name], strict=True)):.2f} |"
        for name in WAYS
    ]
    return (
        f"{READERS} readers of a random Llama of 120 million parameters in bfloat16, {TOKENS} tokens each, "
        f"beside a program that takes a whole core; tokens a second, medians of {rounds} rounds "
        "in turns (`tests/bench/bench_neighbour.py`; goal: at least 0.67 is left). What is chosen is one "
        "thread less than there are cores (`THREADS`).\n\n"
        "| the engine's threads | alone | beside it | left |\n|---|---|---|---|\n" + "\n".join(rows)
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", default=3, type=int)
    with tempfile.TemporaryDirectory() as name:
        section("Beside a program that takes a core", measure(Path(name), parser.parse_args().rounds))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--engine"]:
        engine(*sys.argv[2:])
    else:
        main()
