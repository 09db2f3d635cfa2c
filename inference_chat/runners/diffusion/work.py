"""How much there is to do in a denoising step, counted in a model's layers before anything is drawn.

Each layer does so many multiplications at each place of the latents, or at each word of the prompt. At how
many places is told by where it stands: blocks behind a downsampler have a quarter of them. Attention looks
from each place at all others, of its frame or of the whole clip, and is what grows beyond all bounds.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

Kind = Literal["linear", "conv", "attention"]
ONCE = re.compile(r"time_|timestep|_time|pooled|guidance|class_|label|ada|norm")
"""Layers that work once a picture, whatever its size."""
WORDS = re.compile(r"context|caption|text|add_[qkv]_proj|attn2\.to_[kv]")
IN_TIME = re.compile(r"motion|temp")
"""Layers that look from frame to frame; where a model has such, its others look within a frame."""


class Grid(NamedTuple):
    """Places of the latents, as the denoiser sees them, and words of the prompt."""

    frames: int
    height: int
    width: int
    words: int = 0

    def at(self, level: int) -> "Grid":
        """`level` halvings further down; upwards where it is negative, frames included."""
        if level < 0:
            up = 2**-level
            return self._replace(frames=self.frames * up, height=self.height * up, width=self.width * up)
        down = 2**level
        return self._replace(height=math.ceil(self.height / down), width=math.ceil(self.width / down))


class Layer(NamedTuple):
    """A layer: `cost` multiplications and `values` numbers written, at each of its places."""

    module: str
    kind: Kind
    cost: int
    values: int
    level: int
    where: Literal["places", "words", "once"]
    over: Literal["all", "frame", "time", "words"] = "all"

    @property
    def block(self) -> str:
        """What it belongs to that runs without a pause."""
        return self.module[: 1 + max((at.end() - 1 for at in re.finditer(r"\.\d+", self.module)), default=-1)]


class Load(NamedTuple):
    """Multiplications by kind, numbers written, and calls of layers."""

    linear: float = 0
    conv: float = 0
    attention: float = 0
    values: float = 0
    calls: float = 0

    def plus(self, other: "Load") -> "Load":
        return Load(*(a + b for a, b in zip(self, other, strict=True)))


def layers_of(model: Any, coarse_first: bool = False) -> tuple[Layer, ...]:
    """The layers of a denoiser; of a decoder, whose first blocks are the coarse ones, if `coarse_first`."""
    import torch

    named = dict(model.named_modules())
    levels = _Levels(named, coarse_first)
    split = any(IN_TIME.search(name) for name in named) or "UNet" in type(model).__name__ or coarse_first
    found = []
    for name, module in named.items():
        where: Literal["places", "words", "once"] = "places"
        if ONCE.search(name):
            where = "once"
        elif WORDS.search(name):
            where = "words"
        if isinstance(module, torch.nn.Linear):
            cost = module.weight.numel()
            found.append(Layer(name, "linear", cost, module.out_features, levels.of(name), where))
        elif isinstance(module, torch.nn.Conv2d | torch.nn.Conv3d):
            cost = module.weight.numel()
            found.append(Layer(name, "conv", cost, module.out_channels, levels.of(name), where))
        elif hasattr(module, "to_q") and hasattr(module, "heads") and not _is_linear(module):
            inner = int(module.to_q.out_features)
            over = _seen(name, module, split)
            found.append(Layer(name, "attention", 2 * inner, inner, levels.of(name), "places", over))
    return tuple(found)


def load_of(layer: Layer, grid: Grid) -> Load:
    """What one call of a layer comes to."""
    here = grid.at(layer.level)
    places = here.frames * here.height * here.width
    if layer.kind == "attention":
        over = {"all": places, "frame": here.height * here.width, "time": here.frames, "words": 0}[layer.over]
        looked = over + (here.words if layer.over in ("all", "words") else 0)
        return Load(attention=layer.cost * places * max(1, looked), values=layer.values * places, calls=4)
    count = {"places": places, "words": max(1, here.words), "once": 1}[layer.where]
    work = float(layer.cost) * count
    values = float(layer.values) * count
    return Load(
        linear=work if layer.kind == "linear" else 0,
        conv=work if layer.kind == "conv" else 0,
        values=values,
        calls=3,
    )


def loads(layers: Iterable[Layer], grid: Grid) -> dict[str, Load]:
    """What each block comes to."""
    found: dict[str, Load] = {}
    for layer in layers:
        found[layer.block] = found.get(layer.block, Load()).plus(load_of(layer, grid))
    return found


class _Levels:
    """How often what a layer sees has been halved, by the names of the blocks before it."""

    def __init__(self, named: dict[str, Any], coarse_first: bool) -> None:
        self._down = set(_blocks(named, "down_blocks", "downsampl"))
        self._up = set(_blocks(named, "up_blocks", "upsampl"))
        self._deepest = 0 if coarse_first else len(self._down)

    def of(self, name: str) -> int:
        found = re.search(r"(down|up)_blocks\.(\d+)", name)
        if found is None:
            bottom = "mid_block" in name
            return self._deepest if bottom else self._ends(name)
        at = int(found[2])
        if found[1] == "down":
            return sum(one < at for one in self._down) + ("downsampl" in name)
        return self._deepest - sum(one < at for one in self._up) - ("upsampl" in name)

    def _ends(self, name: str) -> int:
        """Of what stands before all blocks, or behind them."""
        behind = "out" in name and "blocks" not in name
        return self._deepest - len(self._up) if behind and self._up else 0


def _blocks(named: Iterable[str], of: str, sampler: str) -> Iterator[int]:
    """Numbers of the blocks that change the size."""
    for name in named:
        if sampler in name and (found := re.search(rf"{of}\.(\d+)", name)):
            yield int(found[1])


def _seen(name: str, attention: Any, split: bool) -> Literal["all", "frame", "time", "words"]:
    if getattr(attention, "is_cross_attention", name.endswith("attn2")):
        return "words"
    if IN_TIME.search(name):
        return "time"
    return "frame" if split else "all"


def _is_linear(attention: Any) -> bool:
    """Whether its work grows with the places, not with their square (as in Sana)."""
    return "Linear" in type(getattr(attention, "processor", None)).__name__
