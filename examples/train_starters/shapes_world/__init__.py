"""The shapes world: pictures and clips of coloured shapes with their exact truth, from a seed.

    rng = stream("train", 7)                     # the random numbers of one scene of one split
    one = scene(rng, "train", pixels=96)         # Scene(objects=(Thing, …), background, …)
    render(one)                                  # a PIL picture; pixels(one): [height, width, RGB]
    one.objects[0].name, .size, .box, .x, .y     # "red circle", "small", pixels
    index_map(one)                               # [height, width]: 0, or which object is on top
    mask(one.objects[0], 96)                     # [height, width] bool
    film = clip(stream("train", 8), "train")     # Clip(frames, motions, joins)

Scenes of "train", "validation" and "test" are alike; "compositional" ones have colours with shapes, or
a number of objects, that none of the others has, so a figure on them tells what generalises.
"""

from .clips import MOTIONS, Clip, Frame, Motion, clip, render_clip, solo
from .render import index_map, mask, pixels, render
from .scenes import Background, Box, Scene, Thing, background, overlap, place, scene
from .words import (
    COLOURS,
    COUNTS,
    HELD_OUT,
    HELD_OUT_COUNT,
    NAMES,
    PATTERNS,
    SHAPES,
    SIZES,
    WORLD,
    Split,
    World,
    stream,
)

__all__ = [
    "COLOURS",
    "COUNTS",
    "HELD_OUT",
    "HELD_OUT_COUNT",
    "MOTIONS",
    "NAMES",
    "PATTERNS",
    "SHAPES",
    "SIZES",
    "WORLD",
    "Background",
    "Box",
    "Clip",
    "Frame",
    "Motion",
    "Scene",
    "Split",
    "Thing",
    "World",
    "background",
    "clip",
    "index_map",
    "mask",
    "overlap",
    "pixels",
    "place",
    "render",
    "render_clip",
    "scene",
    "solo",
    "stream",
]
