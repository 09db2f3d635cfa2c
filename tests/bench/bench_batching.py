"""Many readers at once, beside the other ways to serve them.

`python -m tests.bench.bench_batching [--only short,long] [--streams 8,16] [--rounds 3] [--llama PYTHON]`. A
random Llama of 120 million parameters in bfloat16, as speed does not depend on training. The contenders take
turns in each round, so that other programs on the machine slow all of them; figures are medians of rounds.
`--llama` names a Python that has llama-cpp-python, where ours has not. With `--streams` nothing is written.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from inference_chat.runners.text import TextRunner
from inference_chat.service import Service
from inference_chat.settings import Settings
from tests.tiny_gguf import convert

from .bench_engine import CALLER, serving
from .contenders import Bare, Contender, Llama, Missing, OnThread, Serve, Spent
from .random_llama import TOKENS, build, forget, letters
from .report import section

STREAMS = (1, 2, 4, 8, 16, 32)
PROMPT = 64
LONG_PROMPT = 600
LONG_STREAMS = 8
ENGINE = "Inference Chat"
LOCK = "`generate` behind a lock"
STATIC = "`generate`, a static batch"
SERVE = "`transformers serve --continuous-batching`"
LLAMA = "llama.cpp"
Field = Mapping[str, Contender | str]
"""Who takes part; of whom is missing, why."""
Times = dict[str, list[tuple[float, float]]]
"""Seconds by the clock and by the processor of each round."""


class Ours:
    """The engine, end to end through the service."""

    def __init__(self, service: Service, name: str, lease: Any) -> None:
        self._service, self._name, self._lease = service, name, lease

    async def answer(self, prompts: Sequence[str], tokens: int) -> tuple[float, float]:
        runner = self._lease.runner
        assert isinstance(runner, TextRunner)
        await self._lease.worker.call(lambda: forget(runner))
        spent = Spent()
        how = {"temperature": 0, "max_tokens": tokens}
        jobs = [
            await self._service.infer(
                CALLER, prompt=prompt, model=self._name, parameters=how, use_cache=False
            )
            for prompt in prompts
        ]
        done = [await job.result() for job in jobs]
        found = spent.now()
        assert all(result.finished.usage.completion_tokens == tokens for result in done)
        return found

    def close(self) -> None:
        """The service is closed by who opened it."""


@asynccontextmanager
async def field(place: Path, llama: str) -> AsyncIterator[Field]:
    """All contenders with the same weights and threads."""
    folder, threads = build(place / "model"), Settings().cpu_threads
    found: dict[str, Contender | str] = {}
    async with serving(place, "bfloat16", threads, max_concurrent_inference=max(STREAMS)) as service:
        model = await service.models.register({"name": "bench", "file_path": str(folder)})
        async with service.pool.lease(service.engine.registry.get(model["id"])) as lease:
            bare = await lease.worker.call(lambda: Bare(folder))
            found[ENGINE] = Ours(service, model["id"], lease)
            found[LOCK] = OnThread(bare, lease.worker, 1)
            found[STATIC] = OnThread(bare, lease.worker, None)
            try:
                found[SERVE] = await Serve(folder, threads).ready()
            except Missing as error:
                found[SERVE] = str(error)
            try:
                file = place / "model.gguf"
                found[LLAMA] = Llama(
                    llama, lambda: convert(folder, file, brains=True), bare.tokenizer, threads
                )
            except Missing as error:
                found[LLAMA] = str(error)
            try:
                yield found
            finally:
                for one in found.values():
                    if not isinstance(one, str):
                        one.close()


async def measured(field: Field, streams: int, letters_each: int, rounds: int) -> Times:
    """The times of each contender; the round before the first only warms up."""
    times: Times = {}
    for number in range(rounds + 1):
        prompts = [letters(100 * number + i, letters_each) for i in range(streams)]
        for name, one in field.items():
            if not isinstance(one, str):
                found = await one.answer(prompts, TOKENS)
                times.setdefault(name, []).extend([found] if number else [])
    return times


def tables(field: Field, columns: Mapping[str, tuple[int, Times]]) -> str:
    """Tokens a second of all streams together, then how many times the engine's pace is that of others."""
    head = " | ".join(columns)
    rows = [f"| tokens/s | {head} |", "|---|" + "---|" * len(columns)]
    for name, one in field.items():
        cells = (
            one if isinstance(one, str) else f"{median(count * TOKENS / wall for wall, _ in times[name]):.0f}"
            for count, times in columns.values()
        )
        rows.append(f"| {name} | {' | '.join(cells)} |")
    rows += ["", f"| {ENGINE}: times | {head} |", "|---|" + "---|" * len(columns)]
    for name, one in field.items():
        if name == ENGINE or isinstance(one, str):
            continue
        for which, label in enumerate(("", ", by processor time")):
            cells = (
                f"{median(b[which] / a[which] for a, b in zip(times[ENGINE], times[name], strict=True)):.2f}"
                for _, times in columns.values()
            )
            rows.append(f"| {name}{label} | {' | '.join(cells)} |")
    return "\n".join(rows)


def load() -> str:
    return f"Load of the machine while measuring: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."


async def measure(place: Path, only: Sequence[str], streams: Sequence[int], rounds: int, llama: str) -> None:
    threads = Settings().cpu_threads
    note = section if tuple(streams) == STREAMS else shown
    async with field(place, llama) as who:
        if "short" in only:
            found = {str(count): (count, await measured(who, count, PROMPT, rounds)) for count in streams}
            note(
                "Many readers at once",
                "A random Llama of 120 million parameters in bfloat16, "
                f"{threads} thread(s) each, prompts of {PROMPT} tokens, {TOKENS} new ones, medians of "
                f"{rounds} rounds in turns (`tests/bench/bench_batching.py`). Tokens per second of all "
                "streams together, by their number: the engine's end to end through the service, "
                "transformers' over HTTP, llama.cpp's by its library alone. Below, how many times as quick "
                "the engine is.\n\n"
                f"{tables(who, found)}\n\n{load()}",
            )
        if "long" in only:
            times = await measured(who, LONG_STREAMS, LONG_PROMPT, rounds)
            note(
                "Many readers of long prompts",
                f"The same with {LONG_STREAMS} streams and prompts of {LONG_PROMPT} tokens.\n\n"
                f"{tables(who, {f'{LONG_STREAMS} streams': (LONG_STREAMS, times)})}\n\n{load()}",
            )


def shown(name: str, text: str) -> None:
    print(f"## {name}\n\n{text}\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="short,long", type=lambda text: text.split(","))
    parser.add_argument(
        "--streams", default=STREAMS, type=lambda text: tuple(int(one) for one in text.split(","))
    )
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--llama", default=os.environ.get("LLAMA_PYTHON", sys.executable))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure(Path(name), told.only, told.streams, told.rounds, told.llama))


if __name__ == "__main__":
    main()
