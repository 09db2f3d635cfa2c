"""What a runner of pictures costs beside a loop by hand: `python -m tests.bench.bench_pictures`.

Times are of the thread that does the work, so that a busy machine does not count.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag
from typing import Any

from inference_chat.media import image_bytes, open_image
from inference_chat.runners.device import prepare
from tests.runners.pictures import load, request
from tests.tiny_vision import scene

from .report import section

PICTURES, ROUNDS = 64, 3
SIZE = {"hidden_size": 192, "num_hidden_layers": 12, "num_attention_heads": 3, "intermediate_size": 768}
TASK = "image-classification"


def build(folder: Path) -> Path:
    """A random ViT of the size called tiny (5.5 M numbers), 224 pixels."""
    import transformers

    config: Any = transformers.ViTConfig(**SIZE)  # type: ignore[arg-type]
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessorPil().save_pretrained(folder)
    return folder


def by_hand(folder: Path, data: bytes) -> Callable[[int, int], None]:
    """A loop over so many pictures, so many at once, as one would write it."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    processor: Any = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model: Any = AutoModelForImageClassification.from_pretrained(folder).eval()

    def run(count: int, size: int) -> None:
        for _ in range(0, count, size):
            pictures = [open_image(data) for _ in range(size)]
            with torch.inference_mode():
                logits = model(**processor(pictures, return_tensors="pt")).logits
                logits.softmax(-1).topk(2)

    return run


def milliseconds(actions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median of each action, measured in turns."""
    took: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds + 1):
        for name, action in actions.items():
            start = time.thread_time()
            action()
            took[name].append((time.thread_time() - start) * 1000)
    return {name: statistics.median(times[1:]) for name, times in took.items()}


def main() -> None:
    prepare(threads=1)
    with tempfile.TemporaryDirectory() as place:
        folder, picture = build(Path(place) / "vit"), image_bytes(scene(640, 480))
        runner, hand = load(folder), by_hand(folder, picture)
        one, many = request(TASK, [picture]), request(TASK, [picture] * PICTURES)
        single = milliseconds(
            {"hand": lambda: hand(1, 1), "runner": lambda: list(runner.run(one, Flag()))}, 4 * ROUNDS
        )
        several = milliseconds(
            {f"by hand, {size} at once": lambda size=size: hand(PICTURES, size) for size in (8, 16, 64)}
            | {"runner": lambda: list(runner.run(many, Flag()))},
            ROUNDS,
        )
    best = min(took for name, took in several.items() if name != "runner")
    rows = "".join(f"| {name} | {took:,.0f} |\n" for name, took in several.items())
    section(
        "Pictures",
        f"`tests/bench/bench_pictures.py`: a ViT of 5.5 M numbers, pictures of 640 × 480, one thread.\n\n"
        f"One picture: {single['hand']:.1f} ms by hand, {single['runner']:.1f} ms by the runner: "
        f"{single['runner'] - single['hand']:+.1f} ms.\n\n"
        f"| {PICTURES} pictures | ms |\n|---|---:|\n{rows}\n"
        f"The runner has {best / several['runner']:.2f} of the pace of the best of these loops.",
    )


if __name__ == "__main__":
    main()
