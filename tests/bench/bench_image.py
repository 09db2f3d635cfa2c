"""Pictures through the whole program beside loops by hand: looked at (one, 64) and drawn.

`python -m tests.bench.bench_image`. The loops run on the program's own inference thread, in turns with it.
Of each way the quickest round counts, by the clock and by the processor (all threads of the process):
where other programs run besides, only the second can be trusted.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}

from inference_chat.access import Caller
from inference_chat.events import Progress
from inference_chat.media import data_url, image_bytes
from inference_chat.schema import JSON
from inference_chat.service import Service
from tests import tiny
from tests.bench import bench_pictures
from tests.bench.report import section
from tests.runners import diffusers_models
from tests.runners.diffusers_pictures import MEDIUM_M
from tests.server import Server, serving, settings
from tests.tiny_vision import scene

Times = dict[str, tuple[float, ...]]
"""Milliseconds by the clock and of the processor, by name."""
CALLER = Caller(owner="bench", address="127.0.0.1")
PICTURES = 64
ROUNDS = 3
STEPS = 4
OVERHEAD_MS, PACE = 5.0, 0.95


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        vit = bench_pictures.build(place / "models" / "vit")
        tiny.card(vit, name="vit", pipeline_tag="image-classification")
        painter = diffusers_models.build("Medium", place / "models" / "painter")
        tiny.card(painter, name="painter", pipeline_tag="text-to-image")
        with serving(Service(settings(place, place / "models"))) as server:
            report(looked_at(server, vit), drawn(server, painter), stopped(server))


# --- looking ------------------------------------------------------------------------------------


def looked_at(server: Server, vit: Path) -> Times:
    """Milliseconds for one picture and for many, by hand, by the service and over HTTP."""
    picture = image_bytes(scene(640, 480))
    hand = on_thread(server, "vit", lambda: bench_pictures.by_hand(vit, picture))
    medium = server.call(server.service.intake.file(picture, "image"))
    body = {"model": "vit", "image": data_url(picture, "image/png"), "use_cache": False}
    with server.http() as http:
        return quickest(
            {
                "one by hand": lambda: on_thread(server, "vit", lambda: hand(1, 1)),
                "one by the service": lambda: answered(server, model="vit", media=(medium,)),
                "one over HTTP": lambda: http.post("/inference/image", json=body).raise_for_status(),
                f"{PICTURES} by hand, 16 at once": lambda: on_thread(
                    server, "vit", lambda: hand(PICTURES, 16)
                ),
                f"{PICTURES} by the service": lambda: answered(
                    server, model="vit", media=(medium,) * PICTURES
                ),
            }
        )


# --- drawing ------------------------------------------------------------------------------------


def drawn(server: Server, painter: Path) -> Times:
    """Milliseconds for a picture, by the bare pipeline and by the service."""
    bare = on_thread(server, "painter", lambda: pipeline(painter))
    how = {"steps": STEPS, "seed": 1}
    return quickest(
        {
            "bare pipeline": lambda: on_thread(server, "painter", bare),
            "service": lambda: draw(server, how | {"preview": False}),
            "service, with previews": lambda: draw(server, how),
        }
    )


def pipeline(folder: Path) -> Callable[[], object]:
    import torch
    from diffusers import DiffusionPipeline

    kind: Any = DiffusionPipeline
    pipe = kind.from_pretrained(folder, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    return lambda: pipe("a house", num_inference_steps=STEPS, generator=torch.Generator().manual_seed(1))


def draw(server: Server, parameters: JSON) -> None:
    answered(server, task="text-to-image", model="painter", prompt="a house", parameters=parameters)


def stopped(server: Server) -> list[float]:
    """Milliseconds from a stop in mid-picture until the inference thread is free for others."""
    return [server.call(_stopped(server.service)) for _ in range(ROUNDS)]


async def _stopped(service: Service) -> float:
    asked: JSON = {"steps": 500, "seed": 1}
    job = await service.infer(CALLER, task="text-to-image", model="painter", prompt="a", parameters=asked)
    async for _, event in job.watch():
        if isinstance(event, Progress) and event.phase == "working" and (event.done or 0) > 2:
            break
    start = time.perf_counter()
    job.cancel()
    await job.result()
    async with service.pool.lease(service.registry.get("painter")) as lease:
        await lease.worker.call(lambda: None)
    return (time.perf_counter() - start) * 1000


# --- measuring ----------------------------------------------------------------------------------


def answered(server: Server, **asked: Any) -> None:
    async def run() -> None:
        job = await server.service.infer(CALLER, use_cache=False, **asked)
        await job.result()

    server.call(run())


def on_thread(server: Server, model: str, action: Callable[[], Any]) -> Any:
    """Do something on a model's inference thread, as bare code would on its only one."""

    async def run() -> Any:
        async with server.service.pool.lease(server.service.registry.get(model)) as lease:
            return await lease.worker.call(action)

    return server.call(run())


def quickest(actions: dict[str, Callable[[], object]]) -> Times:
    """The best of each action, measured in turns."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for _ in range(ROUNDS + 1):
        for name, action in actions.items():
            start, used = time.perf_counter(), time.process_time()
            action()
            took[name].append(((time.perf_counter() - start) * 1000, (time.process_time() - used) * 1000))
    return {name: tuple(map(min, zip(*times[1:], strict=True))) for name, times in took.items()}


def report(looked: Times, made: Times, stops: list[float]) -> None:
    rows = "".join(
        f"| {name} | {wall:,.1f} | {cpu:,.1f} |\n" for name, (wall, cpu) in (looked | made).items()
    )
    extra, pace = zip(
        *(
            (
                looked["one by the service"][clock] - looked["one by hand"][clock],
                looked[f"{PICTURES} by hand, 16 at once"][clock]
                / looked[f"{PICTURES} by the service"][clock],
            )
            for clock in (0, 1)
        ),
        strict=True,
    )
    section(
        "Pictures through the program (bench_image.py)",
        f"A ViT of 5.5 M numbers and pictures of 640 × 480; a Stable Diffusion of "
        f"{MEDIUM_M:.0f} M numbers at 128 × 128, {STEPS} steps. One thread, the best of "
        f"{ROUNDS} rounds in turns; load of the machine {os.getloadavg()[0]:.1f}.\n\n"
        f"| | ms | ms of the processor |\n|---|---:|---:|\n{rows}\n"
        f"One picture costs {extra[0]:+.1f} ms beyond the model, {extra[1]:+.1f} of the processor (goal: "
        f"{OVERHEAD_MS:g}); {PICTURES} have {pace[0]:.2f} of the pace of the loop, "
        f"{pace[1]:.2f} by the processor (goal: {PACE}).\n\nA stop in mid-picture frees the thread after "
        f"{statistics.median(stops):.0f} ms (median), {max(stops):.0f} ms (longest).",
    )


if __name__ == "__main__":
    main()
