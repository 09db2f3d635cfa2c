"""Regions of pictures, each with its mask: semantic (a class), instance (an object), panoptic (both)."""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..errors import InvalidRequest
from ..events import Event, Label, Labels, Progress
from ..schema import Options, Request
from .masks import region
from .vision import Size, Tensors, VisionRunner
from .words import Words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_CELLS = 2**26
"""Numbers in the maps of all classes (or queries) of one picture, so that a large one takes no gigabytes."""

Kind = Literal["panoptic", "instance", "semantic"]
KINDS: tuple[Kind, ...] = ("panoptic", "instance", "semantic")
"""In the order in which transformers tries them."""
AUTO = {
    "ForSemanticSegmentation": "AutoModelForSemanticSegmentation",
    "ForInstanceSegmentation": "AutoModelForInstanceSegmentation",
    "ForUniversalSegmentation": "AutoModelForUniversalSegmentation",
    "ForSegmentation": "AutoModelForImageSegmentation",
}


class SegmentationOptions(Options):
    """Which regions are told."""

    subtask: Literal["auto", "semantic", "instance", "panoptic"] = Field(
        "auto", description="A region for each class, for each object, or both; auto: the most that it can."
    )
    threshold: float = Field(
        0.5, ge=0, le=1, description="Objects at least this sure; regions of classes are all told."
    )
    labels: Words = Field((), description="Only these classes: a list, or one text with commas; empty: all.")


@dataclass(frozen=True)
class Found:
    """Segments of a picture: where each is, as numbers in one map or as one map (objects, …) for each."""

    size: Size
    maps: "NDArray[np.integer[Any]] | NDArray[np.bool_]"
    segments: tuple[tuple[int, str, float | None], ...]

    def mask(self, segment: int) -> "NDArray[np.bool_]":
        """The mask (height, width) of a segment, in the picture's own size."""
        import numpy as np
        from PIL import Image

        small: NDArray[np.bool_] = self.maps[segment] > 0 if self.maps.ndim == 3 else self.maps == segment
        if small.shape == self.size:
            return small
        whole = Image.fromarray(small).resize(self.size[::-1], Image.Resampling.NEAREST)
        return np.asarray(whole)


class SegmenterRunner(VisionRunner):
    """One model that divides pictures into regions."""

    what: ClassVar[str] = "a model that segments pictures"
    optional: ClassVar[tuple[str, ...]] = ("fusion_stage.layers.0.residual_layer1",)
    example: ClassVar[Options] = SegmentationOptions()

    @property
    def auto(self) -> str:  # type: ignore[override]  # here it depends on the architecture
        return next(auto for end, auto in AUTO.items() if self.checkpoint.architecture.endswith(end))

    @property
    def reader(self) -> str:  # type: ignore[override]  # the task is told to some in words
        return "AutoProcessor" if self._told_in_words else "AutoImageProcessor"

    @property
    def _told_in_words(self) -> bool:
        return "task_seq_len" in self.checkpoint.config

    def checked(self, request: Request) -> Options:
        assert isinstance(request.options, SegmentationOptions)
        self._kind(request.options)
        return request.options

    def read(self, image: Any, options: Options) -> Mapping[str, Any]:
        if not self._told_in_words:
            return super().read(image, options)
        found: Mapping[str, Any] = self._reader(
            images=image, task_inputs=[self._kind(options)], return_tensors="pt"
        )
        return found

    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        assert isinstance(options, SegmentationOptions)
        kind, out = self._kind(options), self.outputs(inputs)
        channels = max(value.shape[1] for value in out.values() if getattr(value, "ndim", 0) == 4)
        targets = [_bounded(size, channels) for size in sizes]
        if kind == "semantic":
            maps = self._after.post_process_semantic_segmentation(out, target_sizes=targets)
            said = out.get("logits")  # of pixels, else of objects: then no class has a score
            logits = [*said] if said is not None and said.ndim == 4 else [None] * len(sizes)
            return [self._classes(*one) for one in zip(maps, sizes, logits, strict=True)]
        read = getattr(self._after, f"post_process_{kind}_segmentation")
        how: dict[str, Any] = {"threshold": options.threshold, "target_sizes": targets}
        takes = inspect.signature(read).parameters
        if "return_binary_maps" in takes:  # in one map, objects would cover each other
            how["return_binary_maps"] = True
        if "label_ids_to_fuse" in takes:  # said, so that nothing is warned of
            how["label_ids_to_fuse"] = set()
        return [self._objects(one, size) for one, size in zip(read(out, **how), sizes, strict=True)]

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        assert isinstance(found, Found)
        assert isinstance(options, SegmentationOptions)
        classes = {label.casefold() for label in options.labels}
        regions: list[Label] = []
        for segment, name, score in found.segments:
            if classes and name.casefold() not in classes:
                continue
            regions += [one] if (one := region(name, score, found.mask(segment))) else []
            yield Progress(phase="answering")
        yield Labels(items=tuple(sorted(regions, key=lambda one: -(one.score or 0.0))), index=index)

    def _kind(self, options: Options) -> Kind:
        """What is asked for, else the first that the model's processor can read."""
        assert isinstance(options, SegmentationOptions)
        can = [kind for kind in KINDS if self._reads(kind)]
        if options.subtask == "auto":
            return can[0]
        if options.subtask not in can:
            raise InvalidRequest(f"subtask: {self.checkpoint.name} does {', '.join(can)} segmentation only.")
        return options.subtask

    def _reads(self, kind: Kind) -> bool:
        if self.checkpoint.architecture.endswith("ForSemanticSegmentation"):
            return kind == "semantic"
        return hasattr(self._after, f"post_process_{kind}_segmentation")

    @property
    def _after(self) -> Any:
        """What reads the model's outputs."""
        return getattr(self._reader, "image_processor", self._reader)

    def _classes(self, read: Any, size: Size, logits: Any) -> Found:
        """Regions of classes, the largest first, from a map (height, width) of class numbers."""
        import numpy as np

        maps = read.numpy()
        numbers, counts = np.unique(maps, return_counts=True)
        largest = numbers[np.argsort(-counts, kind="stable")].tolist()
        sure = [None] * (max(largest) + 1) if logits is None else sureness(logits)
        return Found(size, maps, tuple((number, self.name_of(number), sure[number]) for number in largest))

    def _objects(self, read: dict[str, Any], size: Size) -> Found:
        segments = read["segments_info"]
        maps = read["segmentation"].numpy()
        return Found(
            size, maps, tuple((one["id"], self.name_of(one["label_id"]), one["score"]) for one in segments)
        )


def sureness(logits: Any) -> list[float]:
    """For each class the mean probability in its own region, of logits (classes, rows, columns).

    Where a class is nowhere the likeliest, its highest probability.
    """
    likely = logits.softmax(0)
    best, number = (found.flatten() for found in likely.max(0))
    counts = number.bincount(minlength=len(likely))
    means = number.bincount(weights=best, minlength=len(likely)) / counts.clamp(min=1)
    found: list[float] = means.where(counts > 0, likely.amax((1, 2)).to(means.dtype)).tolist()
    return found


def _bounded(size: Size, channels: int) -> Size:
    """The size in which maps of so many classes are made: the picture's, or less where that is too much."""
    scale = min(1.0, math.sqrt(MOST_CELLS / (channels * size[0] * size[1])))
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
