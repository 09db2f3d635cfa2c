"""What packed weights gain, by the number of readers and for prompts, in float32 and bfloat16.

`python -m tests.bench.bench_layouts`. Bare steps of the batch, a random Llama of 120 million parameters on
one thread, weights as they are and packed in turns; attention is the same with both.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

from inference_chat.runners.batching import Batch
from inference_chat.runners.batching.attention import Piece
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


def batch_of(folder: Path, dtype: str, quantization: str) -> Batch:
    runner = TextRunner(inspect(folder), Placement("cpu", dtype, quantization))
    runner.load()
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
    batches = {kind: batch_of(folder, dtype, kind) for kind in ("none", "auto")}
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


def main() -> None:
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = build(Path(name) / "model")
        rows = [row for dtype in ("float32", "bfloat16") for row in measure(folder, dtype)]
    section(
        "What packed weights gain",
        "A random Llama of 120 million parameters, 1 thread, milliseconds; medians of "
        f"{ROUNDS} rounds in turns (`tests/bench/bench_layouts.py`).\n\n"
        "| | as they are | packed | times as quick |\n|---|---|---|---|\n" + "\n".join(rows),
    )


if __name__ == "__main__":
    main()
