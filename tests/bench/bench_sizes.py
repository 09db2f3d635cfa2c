"""How well a denoising step's time is foreseen: tiny and medium pipelines of eight kinds, small and large.

`python -m tests.bench.bench_sizes`. Both sides are processor time of the one thread that torch has here.
"""

import time
from itertools import pairwise
from typing import Any

from inference_chat.runners.diffusion.meter import Meter
from inference_chat.runners.diffusion.sizes import Size, parameters_of
from tests.bench.report import section
from tests.runners.diffusers_models import CLIPS, OTHERS, PICTURES

CASES: tuple[tuple[str, Size, int], ...] = (
    ("StableDiffusion", (512, 512), 0),
    ("StableDiffusion", (1024, 1024), 0),
    ("Medium", (128, 128), 0),
    ("Medium", (512, 512), 0),
    ("StableDiffusion3", (256, 256), 0),
    ("Flux", (512, 512), 0),
    ("Flux", (1024, 1024), 0),
    ("LTX", (128, 128), 33),
    ("LTX", (192, 128), 65),
    ("LTX", (256, 192), 65),
    ("Wan", (128, 128), 17),
    ("CogVideoX", (128, 128), 17),
    ("AnimateDiff", (256, 256), 8),
)
STEPS = 4


def main() -> None:
    import torch

    torch.set_num_threads(1)
    rows = [measured(*case) for case in CASES]
    lines = ["| pipeline | size | frames | foreseen | taken | ratio |", "|---|---|---|---|---|---|"]
    for kind, size, frames, foreseen, taken in rows:
        lines.append(
            f"| {kind} | {size[0]} × {size[1]} | {frames or ''} | {_said(foreseen)} | {_said(taken)} "
            f"| {foreseen / taken:.2f} |"
        )
    ratios = [foreseen / taken for *_, foreseen, taken in rows]
    least, most = min(ratios), max(ratios)
    within = f"Between {least:.2f} and {most:.2f} of what a step took (goal: within a factor of 3)."
    section("A denoising step foreseen (bench_sizes.py)", "\n".join([within, "", *lines]))


def measured(kind: str, size: Size, frames: int) -> tuple[str, Size, int, float, float]:
    """Seconds of a step, as foreseen and as taken."""
    pipe: Any = (PICTURES | CLIPS | OTHERS)[kind]()
    pipe.set_progress_bar_config(disable=True)
    taken = parameters_of(pipe)
    twice = "negative_prompt" in taken and "true_cfg_scale" not in taken
    foreseen = Meter(pipe).cost(size, frames, twice).step
    marks: list[float] = []
    plain = pipe.scheduler.step

    def step(*given: Any, **more: Any) -> Any:
        marks.append(time.thread_time())
        return plain(*given, **more)

    pipe.scheduler.step = step
    asked = {"num_inference_steps": STEPS, "width": size[0], "height": size[1], "prompt": "goldfish"}
    asked |= {"num_frames": frames} if frames else {}
    pipe(**{name: value for name, value in asked.items() if name in taken})
    return kind, size, frames, foreseen, min(b - a for a, b in pairwise(marks))


def _said(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    main()
