"""Pictures and clips by any pipeline of diffusers in Hugging Face layout."""

import copy
import io
import secrets
import time
from collections.abc import Callable, Generator, Iterator
from itertools import pairwise
from threading import Event as Flag
from typing import Any, Literal

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ...errors import InvalidRequest, UnsupportedTask
from ...events import Event, File, Finished, ImageReady, Progress, Receipt, VideoReady
from ...media import clip_bytes
from ...schema import Request
from ...tasks import Task
from ..base import Runner
from .abilities import TASKS, Way, ways_of
from .fitting import spoken
from .loading import load_pipeline, sibling
from .meter import Meter
from .options import EditOptions, PictureOptions
from .pieces import Lane, Pieces
from .plans import Plan, plan
from .previews import Pace, Previews
from .sizes import scale_of
from .steps import Step, watched

OTHER_NOISE = 0x5DEECE66D
"""Told from the seed, so that noise a pipeline draws by itself differs from the noise it begins with."""
LONG_SECONDS = 20.0
TILE = 512
"""Pixels along a side of the tiles in which large pictures are decoded."""


class DiffusionRunner(Runner):
    """One pipeline of diffusers, and those that share its weights."""

    def load(self) -> None:
        self._pipe: Any = load_pipeline(self.checkpoint, self.placement)
        self._ways = ways_of(self.checkpoint.config)
        self._siblings: dict[str, Any] = {}
        self._lane = Lane()
        self._previews = Previews()
        self._meter = Meter(self._pipe)

    def unload(self) -> None:
        del self._pipe, self._siblings, self._previews, self._meter

    @property
    def name(self) -> str:
        return self.checkpoint.name

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        way = self._way(request)
        planned = plan(self._sibling(way), way, request, self.name, self._meter, self.patience)
        asked = planned.options
        seed = asked.seed if asked.seed is not None else secrets.randbits(31)
        count = asked.n if isinstance(asked, PictureOptions) else 1
        yield Progress(phase="reading", fraction=0.0, detail=_foreseen(planned, count))
        for index in range(count):
            made = yield from self._drawn(planned, request, index, count, seed + index, stop)
            if made is None:
                break
            yield made
        yield Finished(
            finish_reasons=("cancelled" if stop.is_set() else "stop",),
            notes=planned.notes,
            receipt=Receipt(model=self.name, seed=seed, options=asked.model_copy(update={"seed": seed})),
        )

    def _way(self, request: Request) -> Way:
        """How a task is done; a mask makes editing repainting."""
        ways = [way for way in self._ways if TASKS[way] == request.task]
        if not ways:
            raise UnsupportedTask(f"{self.name} does {', '.join(TASKS[way] for way in self._ways)}.")
        if request.task != Task.IMAGE_TO_IMAGE:
            return ways[0]
        masked = isinstance(request.options, EditOptions) and request.options.mask is not None
        if masked and "repaint" not in ways:
            raise InvalidRequest(f"{self.name} changes whole pictures only: leave the mask out.")
        if not masked and "edit" not in ways:
            raise InvalidRequest(f"{self.name} needs a mask: a picture that is white where to draw anew.")
        return "repaint" if masked else "edit"

    def _sibling(self, way: Way) -> Any:
        kind = self._ways[way]
        if kind not in self._siblings:
            self._siblings[kind] = sibling(self._pipe, kind)
        return self._siblings[kind]

    def _drawn(
        self, planned: Plan, request: Request, index: int, count: int, seed: int, stop: Flag
    ) -> Generator[Event, None, Event | None]:
        """Draw picture `index` of `count`, step by step; None when it was stopped."""
        pipe = _own(planned)
        pace, done, total = Pace(), 0, planned.steps
        last: Step | None = None
        took: list[float] = []
        with Pieces(self._call(pipe, planned, seed), self._lane, seed ^ OTHER_NOISE) as pieces:
            for step in pieces:
                if stop.is_set():
                    return None
                if step is not None:
                    took.append(pieces.seconds)
                    done, last = done + 1, step
                    total = max(done, _total(pipe))
                yield Progress(
                    phase="working" if done or index else "reading",
                    fraction=(index + min(done / (total + 1), 1.0)) / count,
                    done=index * total + done,
                    total=count * total,
                    unit="steps",
                )
                if step is not None and planned.options.film:
                    yield from self._frame(pipe, step, planned, index, seed)
                elif step is not None and planned.options.preview and done < total and pace.due():
                    yield from self._preview(pipe, step, planned, index, seed, pace)
        if stop.is_set():
            return None
        if len(took) > 1:  # the first step also reads the prompt
            self._meter.learn(planned.cost, min(b - a for a, b in pairwise(took)))
        return self._finished(pipe, planned, request, pieces.result, last, index, seed)

    def _call(self, pipe: Any, planned: Plan, seed: int) -> Callable[[], Any]:
        def call() -> Any:
            import torch

            generator = torch.Generator("cpu").manual_seed(seed)
            try:
                return pipe(**planned.arguments, generator=generator)
            except ValueError as error:  # how pipelines refuse what their arguments ask for
                raise InvalidRequest(f"{self.name} cannot do this: {_first_line(error)}") from error

        return call

    def _preview(
        self, pipe: Any, step: Step, planned: Plan, index: int, seed: int, pace: Pace
    ) -> Iterator[Event]:
        began = time.monotonic()
        shown = self._previews.picture(pipe, step.guess, planned.size)
        pace.took(time.monotonic() - began)
        if shown is not None:
            yield ImageReady(image=shown, role="preview", index=index, seed=seed)

    def _frame(self, pipe: Any, step: Step, planned: Plan, index: int, seed: int) -> Iterator[Event]:
        """A step of the film: what is there, and what the model takes it for."""
        looks: tuple[tuple[Literal["noisy", "preview"], Any], ...] = (
            ("noisy", step.latents),
            ("preview", step.guess),
        )
        for role, latents in looks:
            shown = self._previews.picture(pipe, latents, planned.size)
            if shown is not None:
                yield ImageReady(image=shown, role=role, index=index, seed=seed)

    def _finished(
        self,
        pipe: Any,
        planned: Plan,
        request: Request,
        result: Any,
        last: Step | None,
        index: int,
        seed: int,
    ) -> Event:
        made = (result.frames if hasattr(result, "frames") else result.images)[0]
        if planned.frames:
            return self._clip(planned, made, seed)
        picture: Image.Image = made
        if last is not None and picture.size == planned.size:
            self._previews.learn(pipe, last.latents, picture)
        if planned.mask is not None:
            picture = Image.composite(picture, planned.original, planned.mask)
        signed = _signed(picture, self.name, request.prompt or "", planned, seed)
        return ImageReady(image=signed, index=index, seed=seed)

    def _clip(self, planned: Plan, frames: list[Image.Image], seed: int) -> Event:
        video = File(data=clip_bytes(frames, planned.fps), media_type="video/mp4")
        return VideoReady(video=video, fps=planned.fps, frame_count=len(frames), seed=seed)


def _foreseen(planned: Plan, count: int) -> str:
    """The size, and how long it is going to take where that is long."""
    size = f"{planned.size[0]} × {planned.size[1]}"
    seconds = planned.cost.total(planned.steps) * count
    return f"{size}, about {spoken(seconds)} in all" if seconds >= LONG_SECONDS else size


def _own(planned: Plan) -> Any:
    """A pipeline with the shared weights and what a run changes for itself: scheduler, settings, tiles.

    Schedulers count steps and keep what the last ones found, so no two runs may share one.
    """
    pipe = copy.copy(planned.pipe)
    pipe.scheduler = watched(planned.scheduler.from_config(planned.pipe.scheduler.config))
    if planned.tiled and hasattr(pipe.vae, "enable_tiling"):
        pipe.vae = copy.copy(pipe.vae)
        pipe.vae.enable_tiling()
        if hasattr(pipe.vae, "tile_latent_min_size"):  # small by default in models that were made small
            pipe.vae.tile_sample_min_size = max(TILE, pipe.vae.tile_sample_min_size)
            pipe.vae.tile_latent_min_size = pipe.vae.tile_sample_min_size // scale_of(pipe)
    return pipe


def _total(pipe: Any) -> int:
    """Steps of the loop that is running."""
    return int(getattr(pipe, "_num_timesteps", None) or len(pipe.scheduler.timesteps))


def _signed(picture: Image.Image, name: str, prompt: str, planned: Plan, seed: int) -> File:
    """A PNG that says what it was drawn by, in the words that other programs for pictures read."""
    options, lines = planned.options, [prompt]
    if options.negative_prompt:
        lines.append(f"Negative prompt: {options.negative_prompt}")
    facts: dict[str, Any] = {
        "Steps": options.steps,
        "Sampler": options.scheduler,
        "CFG scale": options.guidance_scale,
        "Seed": seed,
        "Size": f"{picture.width}x{picture.height}",
        "Denoising strength": getattr(options, "strength", None),
        "Model": name,
    }
    lines.append(", ".join(f"{key}: {value}" for key, value in facts.items() if value is not None))
    info = PngInfo()
    info.add_itxt("parameters", "\n".join(lines))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info)
    return File(data=buffer.getvalue(), media_type="image/png")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
