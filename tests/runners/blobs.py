"""A detector that is not learned: it finds bright coloured squares in pictures, as real as they are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from inference_chat.events import Box, Label
from inference_chat.runners.checkpoint import Checkpoint, Tensors
from inference_chat.runners.detection import DetectionOptions
from inference_chat.runners.device import Placement
from inference_chat.runners.tracking import TrackingRunner

COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230)}


class BlobRunner(TrackingRunner):
    """Finds the squares of `scene`; counts how many pictures it was shown at once."""

    def __init__(self) -> None:
        super().__init__(
            Checkpoint(Path("blobs"), {}, (), Tensors(0, frozenset())), Placement("cpu", "float32")
        )
        self._reader = None
        self.batches: list[int] = []
        self.sizes: set[tuple[int, int]] = set()

    def detect(
        self, pictures: Sequence[Image.Image], threshold: float, labels: Sequence[str] = ()
    ) -> list[tuple[Label, ...]]:
        self.batches.append(len(pictures))
        self.sizes |= {picture.size for picture in pictures}
        return [tuple(self._found(picture, labels)) for picture in pictures]

    def _found(self, picture: Image.Image, labels: Sequence[str]) -> list[Label]:
        pixels = np.asarray(picture).astype(int)
        found = []
        for name, colour in COLOURS.items():
            rows, columns = np.nonzero(np.abs(pixels - colour).sum(axis=-1) < 120)
            if len(rows) > 20 and (not labels or name in labels):
                left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
                box = Box(xmin=left, ymin=top, xmax=right, ymax=bottom)
                found.append(Label(label=name, score=0.9, box=box))
        return found

    def _check(self, options: DetectionOptions) -> None:
        pass


def scene(
    places: dict[str, tuple[float, float]], size: tuple[int, int] = (160, 120), side: int = 20
) -> Image.Image:
    """Squares of `side` pixels, each with its upper left corner at its place."""
    picture = Image.new("RGB", size, (90, 90, 90))
    draw = ImageDraw.Draw(picture)
    for name, (x, y) in places.items():
        draw.rectangle((x, y, x + side - 1, y + side - 1), fill=COLOURS[name])
    return picture
