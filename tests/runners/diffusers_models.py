"""Tiny real pipelines of diffusers, random and saved to folders, each in a second or less."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_chat.events import Event, ImageReady
from inference_chat.media import open_image
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.diffusion import ClipOptions, DiffusionRunner, EditOptions, PictureOptions
from inference_chat.schema import Media, Request
from inference_chat.tasks import Task
from tests import tiny

from .diffusers_clips import animatediff, cogvideox, latte, ltx, wan
from .diffusers_pictures import (
    ddpm,
    dit,
    flux,
    medium_diffusion,
    pixart,
    sana,
    stable_diffusion,
    stable_diffusion_3,
    stable_diffusion_xl,
    upscaler,
)

LABELS = {"0": "tench, Tinca", "1": "goldfish", "2": "great white shark"}


PICTURES: dict[str, Callable[[], Any]] = {
    "StableDiffusion": stable_diffusion,
    "StableDiffusionXL": stable_diffusion_xl,
    "StableDiffusion3": stable_diffusion_3,
    "Flux": flux,
    "DiT": dit,
    "PixArt": pixart,
    "Sana": sana,
    "DDPM": ddpm,
}
CLIPS: dict[str, Callable[[], Any]] = {
    "LTX": ltx,
    "Wan": wan,
    "CogVideoX": cogvideox,
    "AnimateDiff": animatediff,
    "Latte": latte,
}
OTHERS: dict[str, Callable[[], Any]] = {
    "Medium": medium_diffusion,
    "Upscaler": upscaler,
    "CogVideoXImage": lambda: cogvideox(image=True),
}


def build(kind: str, folder: Path) -> Path:
    """Write a random pipeline into `folder`; the same weights each time."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(5)
        pipe = (PICTURES | CLIPS | OTHERS)[kind]()
    pipe.save_pretrained(folder)
    if kind == "DiT":
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps(index | {"id2label": LABELS}))
    return folder


def painter(folder: Path) -> Path:
    """A model named painter with its card, which draws in two steps."""
    built = build("StableDiffusion", folder)
    how = {"parameters": {"steps": 2}}
    return tiny.card(built, name="painter", pipeline_tag="text-to-image", inference_chat=how)


def open_runner(folder: Path, dtype: str = "float32") -> DiffusionRunner:
    runner = DiffusionRunner(inspect(folder), Placement("cpu", dtype))
    runner.load()
    return runner


def drawn(runner: DiffusionRunner, request: Request) -> list[Event]:
    return list(runner.run(request, Flag()))


def draw(prompt: str = "goldfish", **options: Any) -> Request:
    """Ask for a picture, in two steps unless told otherwise."""
    how = PictureOptions(**{"steps": 2, "seed": 3} | options)
    return Request(task=Task.TEXT_TO_IMAGE, model="tiny@1", prompt=prompt, options=how)


def edit(picture: Path, mask: Path | None = None, prompt: str = "goldfish", **options: Any) -> Request:
    """Ask for a change of a picture, or of the part of it that is white in a mask."""
    files = [medium(picture), *([medium(mask)] if mask else [])]
    how = EditOptions(**{"steps": 3, "seed": 3, "mask": files[1].url if mask else None} | options)
    return Request(task=Task.IMAGE_TO_IMAGE, model="tiny@1", prompt=prompt, media=tuple(files), options=how)


def film(picture: Path | None = None, prompt: str = "goldfish", **options: Any) -> Request:
    """Ask for a clip, that begins with a picture where there is one."""
    task = Task.IMAGE_TO_VIDEO if picture else Task.TEXT_TO_VIDEO
    files = (medium(picture),) if picture else ()
    how = ClipOptions(**{"steps": 2, "seed": 3} | options)
    return Request(task=task, model="tiny@1", prompt=prompt, media=files, options=how)


def medium(path: Path) -> Media:
    id = sha256(path.read_bytes()).hexdigest()
    return Media(kind="image", id=id, media_type="image/png", size=path.stat().st_size, path=path)


def results(events: list[Event]) -> list[ImageReady]:
    return [event for event in events if isinstance(event, ImageReady) and event.role == "result"]


def pixels(event: Event) -> NDArray[np.uint8]:
    """(height, width, 3)."""
    assert isinstance(event, ImageReady)
    return np.asarray(open_image(event.image.data))


def in_turn(runs: list[Iterator[Event]]) -> list[list[Event]]:
    """Step several runs in turn, as the inference thread does."""
    logs: list[list[Event]] = [[] for _ in runs]
    going = list(zip(runs, logs, strict=True))
    while going:
        for pair in list(going):
            if (event := next(pair[0], None)) is None:
                going.remove(pair)
            else:
                pair[1].append(event)
    return logs
