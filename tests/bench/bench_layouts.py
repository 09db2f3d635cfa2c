"""What packed weights gain, by the number of readers and for prompts, in float32 and bfloat16; what it gains
that few rows are filled up; and that attention of single tokens is compiled.

`python -m tests.bench.bench_layouts [--only packed,rows,compiled]`. Bare steps of the batch, a random Llama
of 120 million parameters on one thread, both ways in turns; attention is the same with both layouts.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from inference_chat.runners import layouts
from inference_chat.runners.batching import Batch, attention, products, singles
from inference_chat.runners.batching.attention import How, Piece, Step
from inference_chat.runners.batching.slot import Shape, Slot
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.text import TextRunner

from .random_llama import build, seconds
from .report import section

ROUNDS = 5
STEPS = 10
READERS = ((1, 20), (1, 600), (8, 100), (16, 200))
"""How many texts are written together, and how many tokens each has been read."""
PROMPTS = (64, 600)
FEW = ((1, 20), (2, 60), (3, 60), (5, 60), (6, 60), (8, 600))
TURNS = 60
LONG = ((1, 20), (1, 600), (1, 2000), (1, 4000), (8, 60), (8, 600), (8, 2000), (16, 600))
TEXTS, LAYERS = 8, 12
LOOKS = ((12, 12, 64), (12, 4, 64), (32, 8, 128), (16, 1, 64), (32, 1, 64))
HEADS, SEEN, WIDTH = 12, (700, 1000, 4000), 64
COLD = 40 << 20
"""Bytes of keys and values that are looked at in turn, more than a processor keeps."""


def runner_of(folder: Path, dtype: str, quantization: str) -> TextRunner:
    runner = TextRunner(inspect(folder), Placement("cpu", dtype, quantization))
    runner.load()
    return runner


def batch_of(runner: TextRunner) -> Batch:
    assert isinstance(runner._engine, Batch)
    return runner._engine


def ids(number: int, count: int) -> list[int]:
    return [(7 * i + 13 * number) % 31000 + 5 for i in range(count)]


def written(batch: Batch, readers: int, tokens: int) -> float:
    """Seconds that a step of so many texts takes, the median of `STEPS`."""
    slots = [batch.apart(ids(number, tokens + STEPS + 1)) for number in range(readers)]
    for slot in slots:
        batch.read([Piece(slot, tokens)])
        slot.read = tokens

    def step() -> None:
        batch.read([Piece(slot, 1) for slot in slots])
        for slot in slots:
            slot.read += 1

    return statistics.median(seconds(step) for _ in range(STEPS + 1))


def read(batch: Batch, tokens: int) -> float:
    """Seconds that a prompt of so many tokens takes."""
    return seconds(lambda: batch.read([Piece(batch.apart(ids(1, tokens)), tokens)]))


def measure(folder: Path, dtype: str) -> list[str]:
    """A row for each kind of step."""
    batches = {kind: batch_of(runner_of(folder, dtype, kind)) for kind in ("none", "auto")}
    names = [f"a step of {readers}, {tokens} tokens read" for readers, tokens in READERS]
    names += [f"a prompt of {tokens} tokens" for tokens in PROMPTS]
    times: dict[str, list[list[float]]] = {kind: [] for kind in batches}
    for _ in range(ROUNDS + 1):
        for kind, batch in batches.items():
            row: list[Any] = [written(batch, *readers) for readers in READERS]
            times[kind].append(row + [read(batch, tokens) for tokens in PROMPTS])
    rows = []
    for at, name in enumerate(names):
        plain, packed = ([one[at] for one in times[kind][1:]] for kind in ("none", "auto"))
        ratio = statistics.median(a / b for a, b in zip(plain, packed, strict=True))
        rows.append(
            f"| {name}, {dtype} | {1e3 * statistics.median(plain):.1f} | "
            f"{1e3 * statistics.median(packed):.1f} | {ratio:.2f} |"
        )
    return rows


# --- rows that are filled up --------------------------------------------------------------------


@contextmanager
def as_they_are(layers: Sequence[tuple[Any, str, int]] = ()) -> Iterator[None]:
    """Nothing is filled up; layers have an attribute set so that they fill up no more than they have to."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(attention, "WORTH", 1 << 62))
        stack.enter_context(patch.object(layouts, "ONCE", layouts.ROWS))
        for layer, name, rows in layers:
            stack.enter_context(patch.object(layer, name, rows))
        yield


def least(runner: TextRunner) -> list[tuple[Any, str, int]]:
    """What has to be filled up, so that a row does not depend on those beside it."""
    import torch

    assert runner._laid is not None
    layers: Sequence[Any] = runner._laid._layers
    found: list[tuple[Any, str, int]] = [(batch_of(runner).reader, "_least", 1)]
    for layer in layers:
        rows = torch.randn((2, layer._made[0].shape[1])).to(runner._model.dtype)
        alone = torch.equal(layer._product(rows[:1])[0], layer._product(rows)[0])
        found.append((layer, "least", 1 if alone else layouts.ROWS))
    return found


def stepped(
    runner: TextRunner, readers: int, tokens: int, without: Callable[[], AbstractContextManager[None]]
) -> tuple[float, float]:
    """Seconds that a step takes `without` something and with it, in turns, the medians."""
    batch = batch_of(runner)
    slots = [batch.apart(ids(number, tokens + 2 * TURNS)) for number in range(readers)]
    for slot in slots:
        batch.read([Piece(slot, tokens)])
        slot.read = tokens
    plain, better = [], []
    for _ in range(TURNS):
        with without():
            plain.append(step(batch, slots))
        better.append(step(batch, slots))
    return statistics.median(plain), statistics.median(better)


def step(batch: Batch, slots: Sequence[Any]) -> float:
    spent = seconds(lambda: batch.read([Piece(slot, 1) for slot in slots]))
    for slot in slots:
        slot.read += 1
    return spent


def looked(groups: int, seen: int) -> tuple[float, float]:
    """Seconds of one token's attention in a layer as it is and filled up, in turns, the medians."""
    import torch

    how = How(None, None, None, None)
    plain: list[float] = []
    filled: list[float] = []
    many = range(max(2, COLD // (4 * groups * seen * WIDTH)))
    found = [torch.randn((2, 1, groups, seen, WIDTH)).bfloat16() for _ in many]
    query = torch.randn((HEADS, 1, WIDTH)).bfloat16()
    step = Step([])

    def spent(pair: Any) -> float:
        return seconds(lambda: step._found(0, query, pair[0], pair[1], how))

    with torch.inference_mode(), patch.object(products, "quicker", lambda *_: False):
        for _ in range(ROUNDS + 1):
            for pair in found:
                with as_they_are():
                    plain.append(spent(pair))
            filled += map(spent, found)
    return statistics.median(plain), statistics.median(filled)


def filled_up(folder: Path) -> list[str]:
    """A row for each kind of step, then for each kind of attention."""
    rows = []
    for dtype in ("float32", "bfloat16"):
        runner = runner_of(folder, dtype, "auto")
        plainly = partial(as_they_are, least(runner))
        rows += [
            told(
                f"a step of {readers}, {tokens} tokens read, {dtype}",
                *stepped(runner, readers, tokens, plainly),
            )
            for readers, tokens in FEW
        ]
        runner.unload()
    return rows + [
        told(
            f"one token that looks at {seen:,}, {HEADS} heads, {groups} of keys, a layer",
            *looked(groups, seen),
        )
        for groups in (HEADS, HEADS // 3)
        for seen in SEEN
    ]


# --- attention of single tokens -----------------------------------------------------------------


@contextmanager
def by_torch() -> Iterator[None]:
    """torch's kernel looks for each text."""
    with patch.object(singles, "quicker", lambda *_: False):
        yield


def compiled(folder: Path) -> list[str]:
    """A row for each kind of step, then for each kind of attention."""
    runner = runner_of(folder, "bfloat16", "auto")
    return [
        told(f"a step of {readers}, {tokens:,} tokens read", *stepped(runner, readers, tokens, by_torch))
        for readers, tokens in LONG
    ] + [
        told(
            f"{TEXTS} texts that look at {seen:,}, {heads} heads of {width}, {groups} of keys, a layer, "
            f"{threads} thread{'s' * (threads > 1)}",
            *looked_together((heads, groups, width), seen, threads),
        )
        for heads, groups, width in LOOKS
        for seen in (40, 650)
        for threads in (1, 2)
    ]


def looked_together(shape: tuple[int, int, int], seen: int, threads: int) -> tuple[float, float]:
    """Seconds of a layer's attention of `TEXTS` single tokens by torch's kernel and compiled, in turns, the
    medians; the shape is (heads, heads of keys, numbers)."""
    import torch

    heads, groups, width = shape
    kept = Shape(LAYERS, groups, width, width, torch.bfloat16, torch.device("cpu"))
    slots = [Slot(kept, range(seen)) for _ in range(TEXTS)]
    plain: list[float] = []
    quick: list[float] = []
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode(), patch.object(singles, "SHARING", heads):
            for slot in slots:
                slot.reserve(seen)
                for place in (*slot.views(0, seen)[0], *slot.views(0, seen)[1]):
                    place.copy_(torch.randn(place.shape))
                slot.read = seen - 1
            step = Step([Piece(slot, 1) for slot in slots])
            query = torch.randn((heads, TEXTS, width)).bfloat16()
            new = torch.randn((groups, TEXTS, width)).bfloat16()
            how = How(None, None, None, None)
            for turn in range(TURNS):
                spent = partial(seconds, partial(step.attend, turn % LAYERS, query, new, new, how))
                with by_torch():
                    plain.append(spent())
                quick.append(spent())
    finally:
        torch.set_num_threads(before)
    return statistics.median(plain), statistics.median(quick)


def told(name: str, plain: float, filled: float) -> str:
    return f"| {name} | {1e3 * plain:.2f} | {1e3 * filled:.2f} | {plain / filled:.2f} |"


def main() -> None:
    import torch

    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="packed,rows,compiled", type=lambda text: text.split(","))
    only = parser.parse_args().only
    torch.set_num_threads(1)
    what = "A random Llama of 120 million parameters, 1 thread, milliseconds; medians of "
    with tempfile.TemporaryDirectory() as name:
        folder = build(Path(name) / "model")
        if "packed" in only:
            rows = [row for dtype in ("float32", "bfloat16") for row in measure(folder, dtype)]
            section(
                "What packed weights gain",
                f"{what}{ROUNDS} rounds in turns (`tests/bench/bench_layouts.py`).\n\n"
                "| | as they are | packed | times as quick |\n|---|---|---|---|\n" + "\n".join(rows),
            )
        if "rows" in only:
            section(
                "What rows that are filled up gain",
                f"{what}{TURNS} steps in turns, and attention by itself in bfloat16, of keys and values "
                "that are not in the cache (`tests/bench/bench_layouts.py`).\n\n"
                "| | as they are | filled up | times as quick |\n|---|---|---|---|\n"
                + "\n".join(filled_up(folder)),
            )
        if "compiled" in only:
            section(
                "What compiled attention gains",
                f"{what}{TURNS} steps in turns, and attention by itself, in bfloat16 "
                "(`tests/bench/bench_layouts.py`).\n\n"
                "| | torch's kernel | compiled | times as quick |\n|---|---|---|---|\n"
                + "\n".join(compiled(folder)),
            )


if __name__ == "__main__":
    main()
