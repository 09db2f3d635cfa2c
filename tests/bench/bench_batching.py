"""The text engine with many readers: streams at once, conversations, long prompts, rounded weights.

`python -m tests.bench.bench_batching`. A random Llama of 120 million parameters, as speed does not depend
on training. Everything runs on the inference thread of one process, the contenders taking turns in each
round, so that other programs on the machine slow all of them; figures are medians of the rounds.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Flag
from typing import Any

from inference_chat.events import Event, Finished, Progress, TextDelta
from inference_chat.loaded import Lease
from inference_chat.runners.batching import Batch
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.text import TextOptions, TextRunner
from inference_chat.schema import Message, Request
from inference_chat.service import Service
from inference_chat.settings import Settings
from tests import tiny

from .bench_engine import CALLER, serving
from .report import section

STREAMS = (1, 4, 8, 16, 32)
ROUNDS = 3
TOKENS = 24
PROMPT = 64
WINDOW = 4608
TURNS = 20
LONG = 4000


def build(folder: Path) -> Path:
    """The model in bfloat16, with a tokenizer that makes a token of each letter."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=12,
        num_attention_heads=12,
        num_key_value_heads=4,
        max_position_embeddings=WINDOW,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    model: Any = LlamaForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    tiny._tokenizer(WINDOW).save_pretrained(folder)
    return folder


def letters(number: int, count: int) -> str:
    """A text of `count` letters that no other number has."""
    return "".join(chr(97 + (number * 7 + i * (number % 5 + 1)) % 26) for i in range(count))


def asked(prompt: str | tuple[Message, ...], tokens: int = TOKENS) -> Request:
    options = TextOptions(temperature=0, max_tokens=tokens)
    if isinstance(prompt, str):
        return Request(model="bench", prompt=prompt, options=options)
    return Request(model="bench", messages=prompt, options=options)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def forget(runner: TextRunner) -> None:
    """Drop the texts that were kept, so that a round begins as the one before."""
    assert isinstance(runner._engine, Batch)
    runner._engine.kept._slots.clear()


# --- streams at once ----------------------------------------------------------------------------


class Bare:
    """The same weights under `generate`, one prompt after the other or a batch of them."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
        self._model = model.eval()

    def __call__(self, rows: int) -> None:
        import torch

        ids = torch.randint(5, 260, (rows, PROMPT), generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                min_new_tokens=TOKENS,
                max_new_tokens=TOKENS,
            )


async def streams(service: Service, name: str, count: int, number: int) -> float:
    """Seconds until `count` people who ask at once have their whole answers."""
    start = time.perf_counter()
    parameters = {"temperature": 0, "max_tokens": TOKENS}
    prompts = [letters(100 * number + i, PROMPT) for i in range(count)]
    jobs = [
        await service.infer(CALLER, prompt=prompt, model=name, parameters=parameters, use_cache=False)
        for prompt in prompts
    ]
    done = [await job.result() for job in jobs]
    assert all(result.finished.usage.completion_tokens == TOKENS for result in done)
    return time.perf_counter() - start


async def at_once(service: Service, name: str, lease: Lease, bare: Bare) -> str:
    runner = lease.runner
    assert isinstance(runner, TextRunner)
    rows = []
    for count in STREAMS:
        found: list[tuple[float, float, float]] = []
        for number in range(ROUNDS + 1):
            await lease.worker.call(lambda: forget(runner))
            ours = await streams(service, name, count, number)
            alone = await lease.worker.call(lambda: seconds(lambda: bare(1)))
            padded = await lease.worker.call(lambda n=count: seconds(lambda: bare(n)))  # type: ignore[misc]
            found.append((ours, alone, padded))
        found = found[1:]  # the first warms up
        speed = [statistics.median(count * TOKENS / s for s in each) for each in zip(*found, strict=True)]
        speed[1] /= count
        lock = statistics.median(count * alone / ours for ours, alone, _ in found)
        static = statistics.median(padded / ours for ours, _, padded in found)
        shown = " | ".join(f"{one:.0f}" for one in (speed[0], speed[1], speed[2]))
        rows.append(f"| {count} | {shown} | {lock:.2f} | {static:.2f} |")
    return "\n".join(rows)


# --- one conversation ---------------------------------------------------------------------------


def first_token(runner: TextRunner, request: Request) -> tuple[float, Finished]:
    """Seconds until the prompt has been read and the first token chosen; the end of the answer."""
    start = time.perf_counter()
    at, end = 0.0, None
    for event in runner.run(request, Flag()):
        writing = isinstance(event, TextDelta) or (isinstance(event, Progress) and event.phase == "answering")
        if not at and (writing or isinstance(event, Finished)):
            at = time.perf_counter() - start
        end = event if isinstance(event, Finished) else end
    assert end is not None
    return at, end


def conversation(runner: TextRunner) -> str:
    said: tuple[Message, ...] = ()
    times, prompt = [], 0
    for turn in range(TURNS):
        said = (*said, Message(role="user", content=letters(turn, 90)))
        at, end = first_token(runner, asked(said, 4))
        times.append(at)
        prompt = end.usage.prompt_tokens
        said = (*said, Message(role="assistant", content=letters(turn + 50, 6)))
    forget(runner)
    whole, _ = first_token(runner, asked(said[:-1], 4))
    late = statistics.median(times[-3:])
    return (
        f"A conversation of {TURNS} turns, {prompt:,} tokens in the end: first token after "
        f"{times[0] * 1000:.0f} ms in turn 1, {late * 1000:.0f} ms in the last 3 "
        f"({late / times[0]:.2f} × turn 1), {whole * 1000:.0f} ms when all is read anew "
        f"({whole / late:.1f} ×)."
    )


# --- a long prompt beside short ones -----------------------------------------------------------


def gaps(runner: TextRunner, long: bool) -> list[float]:
    """Seconds between the tokens of three readers, while a long prompt is read."""
    runs = [runner.run(asked(letters(i, 40), 60), Flag()) for i in range(3)]
    for run in runs:
        while not isinstance(step := next(run), TextDelta) and getattr(step, "phase", "") != "answering":
            pass
    other: Iterator[Event] = runner.run(asked(letters(9, LONG), 1), Flag()) if long else iter(())
    found, last = [], time.perf_counter()
    for _ in range(50):
        next(other, None)
        for run in runs:
            next(run)
        now = time.perf_counter()
        found.append(now - last)
        last = now
    for run in (*runs, other):
        getattr(run, "close", lambda: None)()
    return found


def beside(runner: TextRunner) -> str:
    gaps(runner, long=True)
    forget(runner)
    without, with_ = gaps(runner, long=False), gaps(runner, long=True)
    forget(runner)
    before, after = (statistics.quantiles(each, n=20)[-1] for each in (without, with_))
    middle = statistics.median(without)
    return (
        f"Three readers: 95 % of the gaps between tokens below {before * 1000:.0f} ms "
        f"({before / middle:.2f} × the median); {after * 1000:.0f} ms "
        f"while a prompt of {LONG:,} tokens is read ({after / before:.2f} ×)."
    )


# --- weights ------------------------------------------------------------------------------------


def weights(folder: Path, bare: Bare) -> str:
    """One stream with each layout, beside bare generate and what the memory of this machine allows."""
    import torch

    runners = {}
    for kind in ("none", "auto", "int8", "int4"):
        runners[kind] = TextRunner(inspect(folder), Placement("cpu", "bfloat16", kind))
        runners[kind].load()
    block = torch.ones(64 << 20)
    read = sum(p.nbytes for p in runners["none"]._model.parameters()) - 32000 * 768 * 2
    times: dict[str, list[float]] = {kind: [] for kind in (*runners, "bare", "memory")}
    for number in range(ROUNDS + 1):
        for kind, runner in runners.items():
            times[kind].append(seconds(lambda r=runner, n=number: list(r.run(asked(letters(n, 8)), Flag()))))  # type: ignore[misc]
        times["bare"].append(seconds(lambda: bare(1)))
        times["memory"].append(min(seconds(block.sum) for _ in range(3)) * read / block.nbytes * TOKENS)
    rows = []
    names = {"none": "as they are", "auto": "packed", "int8": "int8", "int4": "int4"}
    for kind, name in names.items():
        ratio = statistics.median(b / o for o, b in zip(times[kind][1:], times["bare"][1:], strict=True))
        limit = statistics.median(b / o for o, b in zip(times[kind][1:], times["memory"][1:], strict=True))
        speed = TOKENS / statistics.median(times[kind][1:])
        rows.append(f"| {name} | {speed:.0f} | {ratio:.2f} | {limit:.2f} |")
    for runner in runners.values():
        runner.unload()
    return "\n".join(rows)


# --- the whole ----------------------------------------------------------------------------------


async def measure(place: Path) -> str:
    folder = build(place / "model")
    threads = Settings().cpu_threads
    async with serving(place, "bfloat16", threads, max_concurrent_inference=max(STREAMS)) as service:
        model = await service.models.register({"name": "bench", "file_path": str(folder)})
        async with service.pool.lease(service.engine.registry.get(model["id"])) as lease:
            runner = lease.runner
            assert isinstance(runner, TextRunner)
            bare = await lease.worker.call(lambda: Bare(folder))
            table = await at_once(service, model["id"], lease, bare)
            talk = await lease.worker.call(lambda: conversation(runner))
            gap = await lease.worker.call(lambda: beside(runner))
            kinds = await lease.worker.call(lambda: weights(folder, bare))
    return (
        "A random Llama of 120 million parameters in bfloat16, "
        f"{threads} thread(s), prompts of "
        f"{PROMPT} tokens, {TOKENS} new ones, taking turns (`tests/bench/bench_batching.py`). "
        "Tokens per second of all streams together, end to end through the service; a lock answers "
        "one after the other with "
        "`generate`, a static batch waits for all and begins and ends together.\n\n"
        "| streams | engine | behind a lock | static batch | × lock | × static |\n|---|---|---|---|---|---|\n"
        f"{table}\n\n{talk}\n\n{gap}\n\n"
        "One stream by the layout of the weights; the limit is what reading them once a token at the "
        "bandwidth measured in the same run allows in bfloat16.\n\n"
        "| weights | tokens/s | × bare generate | of the limit |\n|---|---|---|---|\n"
        f"{kinds}\n\nLoad of the machine while measuring: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        section("Many readers at once", asyncio.run(measure(Path(name))))


if __name__ == "__main__":
    main()
