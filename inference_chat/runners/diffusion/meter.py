"""How long a denoising step will take here: what there is to do, by how quickly this machine does it.

The machine is measured with the model's own layers, a moment's work each, before the first picture. Pictures
that were drawn put the estimate right.
"""

import time
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, NamedTuple

from .sizes import Size, denoiser_of, latent_frames, patch_of_time, scale_of, side_of
from .work import Grid, Kind, Layer, Load, layers_of, loads

PLACES = 1024
"""Places at which a layer is tried."""
TRIES, TRY_SECONDS = 3, 0.02
CALL_SECONDS = 3e-5
PASSES = 6
"""How often each number that a layer writes is read or written again: activations, norms, sums."""
LONG_ENOUGH = 0.1
"""Seconds of a step from which on it tells more than the estimate."""
TRUSTED = (0.2, 5.0)
"""The estimate is put right by these factors at most: a busy moment should not forbid what works."""
WORDS = 512


class Cost(NamedTuple):
    """Seconds of a step, of what is longest in it without a pause, and of turning the latents into pixels."""

    step: float
    longest: float
    decoding: float

    def total(self, steps: int) -> float:
        return self.step * steps + self.decoding


class Pace(NamedTuple):
    """What this machine does: multiplications a second by kind, and numbers passed over a second."""

    linear: float
    conv: float
    attention: float
    values: float

    def seconds(self, load: Load) -> float:
        return (
            load.linear / self.linear
            + load.conv / self.conv
            + load.attention / self.attention
            + load.values * PASSES / self.values
            + load.calls * CALL_SECONDS
        )


class Meter:
    """Estimates for one set of weights; only used on its inference thread."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._factor = 1.0

    @cached_property
    def _drawing(self) -> tuple[Layer, ...]:
        return layers_of(denoiser_of(self._pipe))

    @cached_property
    def _decoding(self) -> tuple[Layer, ...]:
        decoder = getattr(getattr(self._pipe, "vae", None), "decoder", None)
        return () if decoder is None else layers_of(decoder, coarse_first=True)

    @cached_property
    def _drawing_pace(self) -> Pace:
        return measured(denoiser_of(self._pipe), self._drawing)

    @cached_property
    def _decoding_pace(self) -> Pace:
        return measured(self._pipe.vae.decoder, self._decoding)

    def cost(self, size: Size, frames: int, twice: bool) -> Cost:
        """Of a picture, or a clip with so many frames; `twice` if each step looks without the prompt too."""
        pipe, passes = self._pipe, 2 if twice else 1
        side = side_of(pipe)
        latent = latent_frames(pipe, frames)
        grid = Grid(-(-latent // patch_of_time(pipe)), -(-size[1] // side), -(-size[0] // side), WORDS)
        blocks = [self._drawing_pace.seconds(load) for load in loads(self._drawing, grid).values()]
        step, longest = passes * sum(blocks) * self._factor, passes * max(blocks) * self._factor
        if not self._decoding:
            return Cost(step, longest, 0.0)
        place = Grid(latent, -(-size[1] // scale_of(pipe)), -(-size[0] // scale_of(pipe)))
        parts = [self._decoding_pace.seconds(load) for load in loads(self._decoding, place).values()]
        return Cost(step, max(longest, *parts), sum(parts))

    def learn(self, expected: Cost, seconds: float) -> None:
        """Take what a step took as the measure of those to come."""
        if seconds >= LONG_ENOUGH:
            least, most = TRUSTED
            self._factor = min(most, max(least, self._factor * seconds / expected.step))


def measured(model: Any, layers: tuple[Layer, ...]) -> Pace:
    """How quickly the largest layers of a model work here."""
    import torch

    def largest(kind: Kind) -> Layer | None:
        return max((one for one in layers if one.kind == kind), key=lambda one: one.cost, default=None)

    parts, like = dict(model.named_modules()), next(model.parameters())
    found = dict.fromkeys(("linear", "conv", "attention"), float("inf"))
    with torch.no_grad():
        for kind in ("linear", "conv"):
            if layer := largest(kind):
                work = partial(parts[layer.module], _given(parts[layer.module], like))
                found[kind] = layer.cost * PLACES / _seconds(work, like)
        if layer := largest("attention"):
            heads, inner = int(parts[layer.module].heads), layer.values
            shape = (1, heads, PLACES, max(1, inner // heads))
            query = torch.full(shape, 0.5, dtype=like.dtype, device=like.device)
            looked = torch.nn.functional.scaled_dot_product_attention
            found["attention"] = layer.cost * PLACES**2 / _seconds(lambda: looked(query, query, query), like)
        many = torch.full((PLACES, PLACES), 0.5, dtype=like.dtype, device=like.device)
        values = 4 * PLACES**2 / _seconds(lambda: torch.nn.functional.gelu(many) * many, like)
    return Pace(**found, values=values)


def _given(module: Any, like: Any) -> Any:
    """Something for a layer to work on, at `PLACES` places."""
    import torch

    if hasattr(module, "in_features"):
        shape: tuple[int, ...] = (1, PLACES, module.in_features)
    else:
        sides = (4, 16, 16) if isinstance(module, torch.nn.Conv3d) else (32, 32)
        sides = tuple(side * step for side, step in zip(sides, module.stride, strict=True))
        shape = (1, module.in_channels, *sides)
    return torch.full(shape, 0.5, dtype=like.dtype, device=like.device)


def _seconds(work: Callable[[], Any], like: Any) -> float:
    """The least that some work takes; on a processor what else it does meanwhile is left out."""
    import torch

    found: list[float] = []
    clock = time.thread_time if like.device.type == "cpu" else time.perf_counter
    while len(found) < TRIES or sum(found) < TRY_SECONDS:
        began = clock()
        work()
        if like.device.type == "cuda":
            torch.cuda.synchronize(like.device)
        found.append(clock() - began)
    return max(1e-6, min(found))
