"""The engine beside bare `model.generate`: same model, threads and settings, taking turns.

`python -m tests.bench.bench_engine`. Bare generate runs in a process of its own, so that the
threads of one do not slow the other; each answer of both is compared word by word.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference_chat.access import Caller
from inference_chat.events import TextDelta
from inference_chat.runners.device import memory_used
from inference_chat.schema import Message
from inference_chat.service import Service
from inference_chat.settings import Settings
from tests import tiny

from .report import section

STARTER = Path(__file__).parents[2] / "model_cards" / "starter-chat"
CALLER = Caller(owner="bench", address="127.0.0.1")
QUESTIONS = ["What can you do?", "What is the capital of France?", "Tell me about this app, please."]
GOAL = 1.03
CYCLES = 20


@dataclass
class Work:
    """What is asked of one model, how often and how long the answers may be."""

    label: str
    folder: Path
    dtype: str
    prompts: list[str]
    rounds: int
    tokens: int


@dataclass
class Clocks:
    """Seconds of each answer by the wall and by the processor, and the number of its tokens."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    tokens: int = 0

    def add(self, wall: float, cpu: float) -> None:
        self.wall.append(wall)
        self.cpu.append(cpu)


# --- bare generate, in its own process ----------------------------------------------------------


def bare(folder: str, dtype: str, threads: str) -> None:
    """Answer prompts that come as lines of JSON: text, tokens, seconds by the wall and the processor."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(int(threads))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    for line in sys.stdin:
        prompt, limit = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            out = model.generate(ids, do_sample=False, max_new_tokens=limit)[0, ids.shape[1] :]
        text = tokenizer.decode(out, skip_special_tokens=True)
        spent = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps([text, len(out), *spent]), flush=True)


@contextmanager
def bare_process(work: Work, threads: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", __spec__.name, "bare", str(work.folder), work.dtype, str(threads)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def ask_bare(process: subprocess.Popen[str], prompt: str, limit: int, clocks: Clocks) -> tuple[str, int]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([prompt, limit]) + "\n")
    process.stdin.flush()
    text, tokens, wall, cpu = json.loads(process.stdout.readline())
    clocks.add(wall, cpu)
    clocks.tokens += tokens
    return text, tokens


# --- the engine ---------------------------------------------------------------------------------


@asynccontextmanager
async def serving(place: Path, dtype: str, threads: int, **more: Any):
    settings = Settings(
        database_url=f"sqlite:{place / 'chats.db'}",
        registry_path=place / "registry.json",
        model_cards_dir=place / "none",
        rate_limit="off",
        device="cpu",
        threads=threads,
        dtype=dtype,
        **more,
    )
    service = Service(settings)
    try:
        yield service
    finally:
        await service.stop()


async def ask_engine(service: Service, prompt: str, limit: int, clocks: Clocks) -> tuple[str, int]:
    wall, cpu = time.perf_counter(), time.process_time()
    parameters = {"temperature": 0, "max_tokens": limit}
    job = await service.infer(CALLER, prompt=prompt, parameters=parameters, use_cache=False)
    result = await job.result()
    clocks.add(time.perf_counter() - wall, time.process_time() - cpu)
    tokens = result.finished.usage.completion_tokens
    clocks.tokens += tokens
    return result.text, tokens


async def compare(work: Work, place: Path, threads: int) -> tuple[Clocks, Clocks]:
    """Both answer every prompt in turn, in changing order; the first round only warms up."""
    ours, theirs = Clocks(), Clocks()
    async with serving(place, work.dtype, threads) as service:
        await service.models.register({"name": work.label, "file_path": str(work.folder)})
        with bare_process(work, threads) as process:
            for number in range(work.rounds + 1):
                if number == 1:
                    ours, theirs = Clocks(), Clocks()
                for prompt in work.prompts:
                    answers = {}
                    for who in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
                        if who == "ours":
                            answers[who] = await ask_engine(service, prompt, work.tokens, ours)
                        else:
                            answers[who] = ask_bare(process, prompt, work.tokens, theirs)
                    assert answers["ours"] == answers["theirs"], answers
    return ours, theirs


async def first_token(place: Path) -> float:
    """Seconds from a question to its first word when torch is imported and the model not yet loaded."""
    async with serving(place, "auto", 1) as service:
        await service.models.register({"name": "starter-chat", "file_path": str(STARTER)})
        await service.pool.warm()
        start = time.perf_counter()
        job = await service.infer(CALLER, messages=(Message(role="user", content=QUESTIONS[0]),))
        async for _, event in job.watch():
            if isinstance(event, TextDelta):
                break
        seconds = time.perf_counter() - start
        await job.result()
        return seconds


async def cycles(folder: Path, place: Path) -> list[int]:
    """Bytes of the process after each of many loads and unloads."""
    found = []
    async with serving(place, "auto", 1) as service:
        model = await service.models.register({"name": "cycled", "file_path": str(folder)})
        for _ in range(CYCLES):
            await service.models.load(model["id"])
            await service.models.unload(model["id"])
            found.append(memory_used())
    return found


# --- the whole ----------------------------------------------------------------------------------


def works(place: Path) -> Iterator[Work]:
    if STARTER.is_dir():
        prompts = [f"<|user|>{question}<|end|><|assistant|>" for question in QUESTIONS]
        yield Work("starter-chat", STARTER, "float32", prompts, 12, 200)
    for dtype in ("bfloat16", "float32"):
        folder = tiny.build(place / dtype, layers=12, width=1024, window=2048, dtype=dtype)
        yield Work(
            f"random-llama-{dtype}", folder, dtype, ["the other one in there", "a and b", "quick"], 3, 32
        )


def row(label: str, ours: Clocks, theirs: Clocks) -> str:
    mine, other = statistics.median(ours.wall), statistics.median(theirs.wall)
    ratios = [a / b for a, b in zip(ours.wall, theirs.wall, strict=True)]
    cpu = sum(ours.cpu) / sum(theirs.cpu)
    count = ours.tokens / len(ours.wall)
    speeds = f"{count / mine:.1f} | {count / other:.1f}"
    return f"| {label} | {count:.0f} | {speeds} | {statistics.median(ratios):.3f} | {cpu:.3f} |"


def main() -> None:
    threads = Settings().cpu_threads
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        first = asyncio.run(first_token(place / "first")) if STARTER.is_dir() else None
        todo = list(works(place))
        rows = [row(w.label, *asyncio.run(compare(w, place / f"db-{w.label}", threads))) for w in todo]
        kept = asyncio.run(cycles(todo[-1].folder, place / "cycles"))
        size = sum(file.stat().st_size for file in todo[-1].folder.glob("*.safetensors"))
    section(
        "Engine beside bare generate",
        f"Whole answers, greedy, the same tokens asserted, {threads} thread(s), taking turns "
        f"(`tests/bench/bench_engine.py`; goal: time ratio at most {GOAL}). Tokens per second are those of "
        "the median answer; the ratio is the median over pairs of answers, the last column that of all "
        "processor seconds, which other programs on the machine change less.\n\n"
        "| model | tokens | engine, tokens/s | generate, tokens/s | time ratio | processor ratio |\n"
        "|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + (f"\n\nFirst token of starter-chat, loading included: {first:.2f} s (goal: 1 s)." if first else "")
        + f"\n\nMemory after unloading a model of {size >> 20} MiB: {kept[2] >> 20} MiB the third time, "
        f"{kept[-1] >> 20} MiB after {CYCLES} times.",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        bare(*sys.argv[2:])
    else:
        main()
