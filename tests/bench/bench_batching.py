"""Many readers at once, beside the other ways to serve them.

`python -m tests.bench.bench_batching [--only many,short,long] [--streams 8,16] [--rounds 3] [--llama …]`. A
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
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from inference_chat.runners.text import TextRunner
from inference_chat.service import Service
from inference_chat.settings import Settings
from tests.tiny_gguf import convert

from .bench_engine import CALLER, serving
from .contenders import Bare, Contender, Llama, Missing, OnThread, Serve, Spent
from .random_llama import build, forget, letters
from .report import section

ENGINE = "Inference Chat"
LOCK = "`generate` behind a lock"
STATIC = "`generate`, a static batch"
SERVE = "`transformers serve --continuous-batching`"
LLAMA = "llama.cpp"
Field = Mapping[str, Contender | str]
"""Who takes part; of whom is missing, why."""
Times = dict[str, list[tuple[float, float]]]
"""Seconds by the clock and by the processor of each round."""
Columns = Mapping[str, tuple[int, Times]]
"""All streams' tokens and the times."""


@dataclass(frozen=True)
class Part:
    """What is measured: by how many readers at once, with prompts and answers of so many tokens; of several
    lengths of answers also what lies between them, when all prompts have been read."""

    title: str
    streams: tuple[int, ...]
    prompt: int = 64
    answers: tuple[int, ...] = (24,)


PARTS = {
    # llama.cpp's own `llama-bench` has models write as much
    "many": Part("Many readers at once", (1, 2, 4, 8, 16, 32), answers=(128,)),
    "short": Part("Many readers of short answers", (8, 16)),
    "long": Part("Many readers of long prompts", (8,), prompt=600, answers=(24, 128, 512)),
}
WARM = 24
"""Tokens that are written before it counts."""


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
    async with serving(
        place, "bfloat16", threads, max_concurrent_inference=max(PARTS["many"].streams)
    ) as service:
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


async def measured(field: Field, part: Part, streams: int, rounds: int) -> Columns:
    """The columns for so many readers; the round before the first only warms up."""
    times: dict[int, Times] = {length: {} for length in part.answers}
    for number in range(rounds + 1):
        for which, length in enumerate(part.answers):
            first = (len(part.answers) * number + which) * streams  # nobody has read these prompts before
            prompts = [letters(first + i, part.prompt) for i in range(streams)]
            for name, one in field.items():
                if not isinstance(one, str):
                    found = await one.answer(prompts, length if number else WARM)
                    times[length].setdefault(name, []).extend([found] if number else [])
    if len(part.answers) == 1:
        return {str(streams): (streams * length, times[length]) for length in part.answers}
    return {f"{streams}, {length} new": (streams * length, times[length]) for length in part.answers} | {
        f"{streams}, new ones {few + 1} to {many}": (streams * (many - few), between(times[few], times[many]))
        for few, many in pairwise(part.answers)
    }


def between(few: Times, many: Times) -> Times:
    """What the longer answers took more than the shorter ones."""
    return {
        name: [(b[0] - a[0], b[1] - a[1]) for a, b in zip(less, many[name], strict=True)]
        for name, less in few.items()
    }


def tables(field: Field, columns: Columns) -> str:
    """Tokens a second; then how many times the engine's pace is that of others."""
    head = " | ".join(columns)
    rows = [f"| tokens/s | {head} |", "|---|" + "---|" * len(columns)]
    for name, one in field.items():
        cells = (
            one if isinstance(one, str) else f"{median(tokens / wall for wall, _ in times[name]):.0f}"
            for tokens, times in columns.values()
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


async def measure(place: Path, only: Sequence[str], streams: Sequence[int], rounds: int, llama: str) -> None:
    threads = Settings().cpu_threads
    note = shown if streams else section
    async with field(place, llama) as who:
        for part in (PARTS[kind] for kind in only):
            found: dict[str, tuple[int, Times]] = {}
            for count in streams or part.streams:
                found |= await measured(who, part, count, rounds)
            note(
                part.title,
                "A random Llama of 120 million parameters in bfloat16, "
                f"{threads} thread(s) each, prompts of {part.prompt} tokens, "
                f"{', '.join(map(str, part.answers))} new ones, medians of {rounds} rounds in turns "
                "(`tests/bench/bench_batching.py`). Tokens per second of all streams together, by their "
                "number: the engine's end to end through the service, transformers' over HTTP, llama.cpp's "
                "by its library alone. Below, how many times as quick the engine is."
                f"\n\n{tables(who, found)}",
            )


def shown(name: str, text: str) -> None:
    print(f"## {name}\n\n{text}\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(PARTS), type=lambda text: text.split(","))
    parser.add_argument("--streams", default=(), type=lambda text: tuple(int(one) for one in text.split(",")))
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--llama", default=os.environ.get("LLAMA_PYTHON", sys.executable))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure(Path(name), told.only, told.streams, told.rounds, told.llama))


if __name__ == "__main__":
    main()
