"""The text engine's readers by themselves: conversations, long prompts beside short ones, layouts of weights.

`python -m tests.bench.bench_turns [--only turns,gaps,weights]`. A random Llama of 120 million parameters, as
speed does not depend on training; everything runs on one thread, the contenders taking turns in each round.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event as Flag

from inference_chat.events import Event, Finished, Progress, TextDelta
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.text import TextRunner
from inference_chat.schema import Message, Request
from inference_chat.settings import Settings

from .contenders import Bare
from .random_llama import asked, build, forget, letters, seconds
from .report import section

ROUNDS = 5
TURNS = 20
LONG = 4000
READERS = 8
SAID = 90
REPLY = 6
MARKS = 2
"""Tokens around a reply."""
WRITTEN = 128
"""Tokens that one reader is written; llama.cpp's own `llama-bench` has models write as much."""


# --- one conversation ---------------------------------------------------------------------------


def first_token(runner: TextRunner, request: Request) -> tuple[tuple[float, float], Finished]:
    """Seconds, by the clock and the processor, until the first token is chosen; the end of the answer."""
    wall, cpu = time.perf_counter(), time.thread_time()
    at, end = None, None
    for event in runner.run(request, Flag()):
        writing = isinstance(event, TextDelta) or (isinstance(event, Progress) and event.phase == "answering")
        if at is None and (writing or isinstance(event, Finished)):
            at = time.perf_counter() - wall, time.thread_time() - cpu
        end = event if isinstance(event, Finished) else end
    assert at is not None
    assert end is not None
    return at, end


def talk(runner: TextRunner) -> tuple[list[tuple[float, float]], tuple[int, int, int]]:
    """First tokens of the first turn, the last, and the last when all is read anew; tokens new and in all."""
    said: tuple[Message, ...] = ()
    times, tokens = [], []
    for turn in range(TURNS):
        # Of a later turn the marks and letters of a reply are new, too: it is not what the model has written.
        said = (*said, Message(role="user", content=letters(turn, SAID if turn else SAID + REPLY + MARKS)))
        at, end = first_token(runner, asked(said, 4))
        assert end.receipt is not None
        times.append(at)
        tokens.append((end.usage.prompt_tokens - (end.receipt.reused_tokens or 0), end.usage.prompt_tokens))
        said = (*said, Message(role="assistant", content=letters(turn + 50, REPLY)))
    forget(runner)
    whole, _ = first_token(runner, asked(said[:-1], 4))
    forget(runner)
    return [times[0], times[-1], whole], (tokens[0][0], *tokens[-1])


def conversation(runner: TextRunner, rounds: int) -> str:
    found = [talk(runner) for _ in range(rounds + 1)][1:]
    first, last, whole = (statistics.median(times[i][0] for times, _ in found) * 1000 for i in range(3))
    more, less = (
        (statistics.median(t[1][which] / t[0][which] for t, _ in found) for which in (0, 1)),
        statistics.median(t[2][0] / t[1][0] for t, _ in found),
    )
    clock, processor = more
    (new, newer, total) = found[0][1]
    return (
        f"A conversation of {TURNS} turns, {total:,} tokens in the end: first token after {first:.0f} ms in "
        f"turn 1 ({new} new tokens), {last:.0f} ms in turn {TURNS} ({newer} new ones): {clock:.2f} times as "
        f"long, {processor:.2f} times by processor time; {whole:.0f} ms when all is read anew ({less:.1f} "
        f"×). Medians of {rounds} conversations."
    )


# --- a long prompt beside short ones -----------------------------------------------------------


def gaps(runner: TextRunner, long: bool) -> list[float]:
    """Seconds between the tokens of some readers, while a long prompt is read."""
    runs = [runner.run(asked(letters(i, 40), 60), Flag()) for i in range(READERS)]
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


def beside(runner: TextRunner, rounds: int) -> str:
    gaps(runner, long=True)
    forget(runner)
    found: list[tuple[float, float, float]] = []
    for _ in range(rounds):
        without, with_ = gaps(runner, long=False), gaps(runner, long=True)
        forget(runner)
        before, after = (statistics.quantiles(each, n=20)[-1] for each in (without, with_))
        found.append((statistics.median(without), before, after))
    middle, before, after = (statistics.median(each) * 1000 for each in zip(*found, strict=True))
    share = statistics.median(b / m for m, b, _ in found)
    more = statistics.median(a / b for _, b, a in found)
    return (
        f"{READERS} readers: half of the gaps between tokens below {middle:.0f} ms, 95 % below "
        f"{before:.0f} ms ({share:.2f} ×); {after:.0f} ms while a prompt of {LONG:,} tokens is read "
        f"({more:.2f} ×). Medians of {rounds} rounds."
    )


# --- weights ------------------------------------------------------------------------------------


def weights(folder: Path, bare: Bare, rounds: int) -> str:
    """One stream with each layout, beside bare generate and what the memory of this machine allows."""
    import torch

    runners = {}
    for kind in ("none", "auto", "int8", "int4"):
        runners[kind] = TextRunner(inspect(folder), Placement("cpu", "bfloat16", kind))
        runners[kind].load()
    block = torch.ones(64 << 20)
    read = sum(p.nbytes for p in runners["none"]._model.parameters()) - 32000 * 768 * 2
    times: dict[str, list[float]] = {kind: [] for kind in (*runners, "bare", "memory")}
    for number in range(rounds + 1):
        for kind, runner in runners.items():
            request = asked(letters(number, 8), WRITTEN)
            times[kind].append(seconds(lambda r=runner, given=request: list(r.run(given, Flag()))))  # type: ignore[misc]
        times["bare"].append(bare([letters(number, 8)], WRITTEN)[0])
        times["memory"].append(min(seconds(block.sum) for _ in range(3)) * read / block.nbytes * WRITTEN)
    rows = []
    names = {"none": "as they are", "auto": "packed", "int8": "int8", "int4": "int4"}
    for kind, name in names.items():
        ratio = statistics.median(b / o for o, b in zip(times[kind][1:], times["bare"][1:], strict=True))
        limit = statistics.median(b / o for o, b in zip(times[kind][1:], times["memory"][1:], strict=True))
        speed = WRITTEN / statistics.median(times[kind][1:])
        rows.append(f"| {name} | {speed:.0f} | {ratio:.2f} | {limit:.2f} |")
    for runner in runners.values():
        runner.unload()
    return (
        f"One stream by the layout of the weights, prompts of 8 tokens, answers of {WRITTEN}; the limit is "
        "what reading them once a token at the bandwidth measured in the same run allows in bfloat16.\n\n"
        "| weights | tokens/s | × bare generate | of the limit |\n|---|---|---|---|\n" + "\n".join(rows)
    )


# --- the whole ----------------------------------------------------------------------------------


def measure(place: Path, only: Sequence[str], rounds: int) -> None:
    import torch

    threads = Settings().cpu_threads
    torch.set_num_threads(threads)
    folder = build(place / "model")
    told = "The same model, " + f"{threads} thread(s) (`tests/bench/bench_turns.py`). "

    def note(name: str, text: str) -> None:
        section(name, told + text)

    if {"turns", "gaps"} & set(only):
        runner = TextRunner(inspect(folder), Placement("cpu", "bfloat16", "auto"))
        runner.load()
        if "turns" in only:
            note("A conversation of twenty turns", conversation(runner, rounds))
        if "gaps" in only:
            note("A long prompt beside short ones", beside(runner, rounds))
        runner.unload()
    if "weights" in only:
        note("One reader by layout of the weights", weights(folder, Bare(folder), rounds))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="turns,gaps,weights", type=lambda text: text.split(","))
    parser.add_argument("--rounds", default=ROUNDS, type=int)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), told.only, told.rounds)


if __name__ == "__main__":
    main()
