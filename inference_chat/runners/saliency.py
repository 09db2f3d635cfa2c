"""What in a picture an answer rests on: how much less sure the model is when a part is covered.

Occlusion (Zeiler and Fergus 2014, arXiv:1311.2901): a square in the picture's mean colour is moved over it.
Of a detected object the score counts as far as its box stays in place, as in D-RISE (Petsiuk et al. 2021,
arXiv:2006.03204). No gradients are needed, so it works for every classifier and detector alike.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import InvalidRequest, UnsupportedTask
from ..events import Box, File, Label, Labels, Progress
from ..media import image_bytes
from ..schema import Frozen, Options
from .base import Runner
from .classification import ClassificationOptions, ClassifierRunner
from .detection import DetectionOptions, DetectorRunner, ZeroShotDetectionOptions
from .vision import VisionRunner

if TYPE_CHECKING:
    from PIL.Image import Image

CELLS = 12
"""The map has so many cells a side; the square covers two by two of them."""
LARGEST = 512
"""Pixels of the longer side that are looked at: models see no more, and it is done a hundred times."""


class Heat(Frozen):
    """How much each cell matters for `label`: the loss of its score while the cell was covered.

    `grid` has rows from the top; `heat` shows it as a picture of the size sent, white where most is lost.
    """

    label: str
    score: float
    box: Box | None = None
    grid: tuple[tuple[float, ...], ...]
    heat: File
    labels: tuple[str, ...] = ()


def occluded(runner: Runner, image: "Image", label: str | None = None) -> Iterator[Progress | Heat]:
    """The map of the likeliest answer, or of `label`, step by step; to be run on the inference thread.

    `image` is RGB. Raises `UnsupportedTask` for models that neither classify nor detect, and `InvalidRequest`
    when `label` was not found in the picture.
    """
    looking, options = _able(runner)
    small = image.copy()
    small.thumbnail((LARGEST, LARGEST))
    (found,) = _looked(looking, [small], options)
    target = _target(found, label)
    places = [(column, row) for row in range(CELLS - 1) for column in range(CELLS - 1)]
    lost: list[list[list[float]]] = [[[] for _ in range(CELLS)] for _ in range(CELLS)]
    for start in range(0, len(places), CELLS):
        part = places[start : start + CELLS]
        seen = _looked(looking, [_covered(small, *place) for place in part], options)
        for (column, row), labels in zip(part, seen, strict=True):
            loss = (target.score or 0.0) - _score(labels, target)
            for cell in (lost[row + y][column + x] for y in (0, 1) for x in (0, 1)):
                cell.append(loss)
        done = start + len(part)
        yield Progress(
            phase="working", fraction=done / len(places), done=done, total=len(places), unit="looks"
        )
    grid = tuple(tuple(round(sum(cell) / len(cell), 5) for cell in row) for row in lost)
    scale = image.width / small.width
    yield Heat(
        label=target.label,
        score=target.score or 0.0,
        box=target.box and Box(**{side: value * scale for side, value in target.box.model_dump().items()}),
        grid=grid,
        heat=File(data=image_bytes(_picture(grid, image.size)), media_type="image/png"),
        labels=tuple(dict.fromkeys(one.label for one in found[:5])),
    )


def _able(runner: Runner) -> tuple[VisionRunner, Options]:
    if isinstance(runner, ClassifierRunner):
        return runner, ClassificationOptions(top_k=1000)
    if isinstance(runner, DetectorRunner) and not isinstance(runner.example, ZeroShotDetectionOptions):
        return runner, DetectionOptions(threshold=0.05, iou=1)
    raise UnsupportedTask("What a picture's answer rests on is shown for image classifiers and detectors.")


def _looked(runner: VisionRunner, images: Sequence["Image"], options: Options) -> list[tuple[Label, ...]]:
    """What is found in pictures of one size."""
    batch = [runner.prepared(index, image, options) for index, image in enumerate(images)]
    found: list[tuple[Label, ...]] = []
    for index, one in enumerate(runner.seen(batch, options)):
        events = runner.tell(one, index, options)
        found.append(tuple(item for event in events if isinstance(event, Labels) for item in event.items))
    return found


def _target(found: Sequence[Label], label: str | None) -> Label:
    fitting = [one for one in found if label is None or one.label.casefold() == label.casefold()]
    if not fitting:
        seen = ", ".join(dict.fromkeys(one.label for one in found[:5])) or "nothing"
        raise InvalidRequest(f"The model did not find {label or 'anything'} in the picture; it found {seen}.")
    return fitting[0]


def _score(found: Sequence[Label], target: Label) -> float:
    same = [one for one in found if one.label == target.label]
    return max(((one.score or 0.0) * _overlap(one.box, target.box) for one in same), default=0.0)


def _overlap(one: Box | None, other: Box | None) -> float:
    """Intersection over union; 1 for what has no boxes."""
    if one is None or other is None:
        return 1.0
    wide = max(0.0, min(one.xmax, other.xmax) - max(one.xmin, other.xmin))
    high = max(0.0, min(one.ymax, other.ymax) - max(one.ymin, other.ymin))
    areas = sum((box.xmax - box.xmin) * (box.ymax - box.ymin) for box in (one, other))
    return wide * high / (areas - wide * high) if areas > wide * high else 0.0


def _covered(image: "Image", column: int, row: int) -> "Image":
    """The picture with two by two cells in its mean colour."""
    from PIL import ImageStat

    mean = tuple(round(value) for value in ImageStat.Stat(image).mean)
    edges = [(at * image.width // CELLS, at * image.height // CELLS) for at in range(CELLS + 1)]
    covered = image.copy()
    (left, _), (right, _) = edges[column], edges[column + 2]
    (_, top), (_, bottom) = edges[row], edges[row + 2]
    covered.paste(mean, (left, top, right, bottom))
    return covered


def _picture(grid: Sequence[Sequence[float]], size: tuple[int, int]) -> "Image":
    from PIL import Image

    most = max((value for row in grid for value in row), default=0.0)
    small = Image.new("L", (CELLS, CELLS))
    small.putdata([round(255 * max(0.0, value) / most) if most > 0 else 0 for row in grid for value in row])
    return small.resize(size, Image.Resampling.BICUBIC)
