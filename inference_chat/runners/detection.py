"""Objects in pictures, each with its box: of classes that the detector or the asker names."""

import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ..errors import InvalidRequest
from ..events import Box, Event, Label, Labels
from ..schema import Options, Request
from .vision import Size, Tensors, VisionRunner
from .words import Words, wanted

if TYPE_CHECKING:
    from PIL.Image import Image

IOU = "Of boxes that overlap more than this (intersection over union), only the surest stays"


class DetectionOptions(Options):
    """Which objects are told. What is found does not depend on it: with a low threshold everything is told,
    and `Labels.above` takes from that what a higher one would have told."""

    threshold: float = Field(0.5, ge=0, le=1, description="Objects at least this sure.")
    labels: Words = Field((), description="Only these classes: a list, or one text with commas; empty: all.")
    top_k: int = Field(100, ge=1, le=1000, description="At most so many objects, the surest.")
    # Detectors without anchors find an object once, and now and then call it by two names in one place.
    iou: float = Field(0.8, ge=0, le=1, description=f"{IOU}; 1 keeps all.")
    class_agnostic: bool = Field(True, description="Let boxes of different classes rule each other out.")


class ZeroShotDetectionOptions(DetectionOptions):
    """What is looked for, and which of the finds are told."""

    threshold: float = Field(0.1, ge=0, le=1, description="Objects at least this sure.")
    labels: Words = Field((), description="What to look for: a list, or one text with commas.")
    # These models find an object once for each of its patches, and may be asked for a cat and an animal.
    iou: float = Field(0.5, ge=0, le=1, description=f"{IOU}; 1 keeps all.")
    class_agnostic: bool = Field(False, description="Let boxes of different classes rule each other out.")


class DetectorRunner(VisionRunner):
    """One object detector."""

    what: ClassVar[str] = "an object detector"
    auto: ClassVar[str] = "AutoModelForObjectDetection"
    example: ClassVar[DetectionOptions] = DetectionOptions()

    def bring(self) -> None:
        super().bring()
        import_module("supervision")  # which takes half a second that no request should wait for

    def detect(
        self, pictures: Sequence["Image"], threshold: float, labels: Sequence[str] = ()
    ) -> list[tuple[Label, ...]]:
        """The objects of each picture (RGB), the surest first; to be called on the inference thread.

        Boxes are in pixels of the picture. Raises `InvalidRequest` for a class that the model does not know.
        """
        options = self.example.model_copy(update={"threshold": threshold, "labels": tuple(labels)})
        self._check(options)
        ready = [self.prepared(index, image, options) for index, image in enumerate(pictures)]
        found: dict[int, tuple[Label, ...]] = {}
        for batch in self._batches(ready):
            found |= zip((one.index for one in batch), self.seen(batch, options), strict=True)
        return [found[index] for index in range(len(ready))]

    def checked(self, request: Request) -> Options:
        assert isinstance(request.options, DetectionOptions)
        self._check(request.options)
        return request.options

    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        assert isinstance(options, DetectionOptions)
        found = self._reader.post_process_object_detection(
            self.outputs(inputs), threshold=options.threshold, target_sizes=list(sizes)
        )
        named = [[self.name_of(label) for label in one["labels"].tolist()] for one in found]
        return [told(*one, options) for one in zip(found, named, sizes, strict=True)]

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        yield Labels(items=found, index=index)

    def _check(self, options: DetectionOptions) -> None:
        known = {str(name).casefold() for name in self._model.config.id2label.values()}
        if unknown := [label for label in options.labels if label.casefold() not in known]:
            raise InvalidRequest(
                f"labels: {self.checkpoint.name} does not know {unknown[0]!r}; it knows "
                f"{', '.join(sorted(known)[:20])}{', …' if len(known) > 20 else ''}."
            )


class ZeroShotDetectorRunner(DetectorRunner):
    """One detector that looks for what it is told in words."""

    what: ClassVar[str] = "a detector of named objects"
    auto: ClassVar[str] = "AutoModelForZeroShotObjectDetection"
    reader: ClassVar[str] = "AutoProcessor"
    example: ClassVar[DetectionOptions] = ZeroShotDetectionOptions(labels=("a", "b"))

    def read(self, image: Any, options: Options) -> Any:
        return self._reader.image_processor(images=image, return_tensors="pt")

    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        assert isinstance(options, DetectionOptions)
        texts = self._texts(options, len(sizes))
        out = self.outputs(inputs | texts)
        read = self._reader.post_process_grounded_object_detection
        how: dict[str, Any] = {"threshold": options.threshold, "target_sizes": list(sizes)}
        if self._merges_labels:
            found = read(out, texts["input_ids"].cpu(), **how)
            named = [
                self._phrases(*one, options)
                for one in zip(out.logits.sigmoid(), texts["input_ids"].cpu(), strict=True)
            ]
        else:
            found = read(out, **how, text_labels=[list(options.labels)] * len(sizes))
            named = [one["text_labels"] for one in found]
        # What is found is what was asked for, however it was spelt.
        return [told(*one, options, only=False) for one in zip(found, named, sizes, strict=True)]

    @property
    def _merges_labels(self) -> bool:
        """Whether the labels are one sentence, `a cat. a dog.`, whose words are found (GroundingDINO)."""
        read = self._reader.post_process_grounded_object_detection
        return "text_threshold" in inspect.signature(read).parameters

    def _texts(self, options: DetectionOptions, count: int) -> Tensors:
        """Tokens of the labels, once for each of `count` pictures."""
        labels = [label.replace(".", " ").strip() or "object" for label in options.labels]
        tokens = dict(
            self._reader(
                text=[labels], return_tensors="pt", **({"padding": True} if self._merges_labels else {})
            )
        )
        longest = getattr(self._model.config, "max_text_len", None)
        if longest is not None and tokens["input_ids"].shape[1] > longest:
            raise InvalidRequest(
                f"labels: more than the {longest} tokens this model can read; look for fewer."
            )
        return {
            key: value.repeat(count, *[1] * (value.ndim - 1)).to(self.placement.device)
            for key, value in tokens.items()
        }

    def _phrases(self, scores: Any, ids: Any, options: DetectionOptions) -> list[str]:
        """The label of each box that is sure enough: the one that its best word is part of.

        transformers joins all words above a second threshold instead, which may belong to several labels.
        """
        best = scores.max(-1)
        dots = ids == self._reader.tokenizer.convert_tokens_to_ids(".")
        label_at = (dots.cumsum(0) - dots.long()).clamp(max=len(options.labels) - 1)
        places = best.indices[best.values > options.threshold].clamp(max=len(ids) - 1)
        return [options.labels[at] for at in label_at[places].tolist()]

    def _check(self, options: DetectionOptions) -> None:
        wanted(options.labels)


def told(
    found: dict[str, Any], names: Sequence[str], size: Size, options: DetectionOptions, only: bool = True
) -> tuple[Label, ...]:
    """The objects of one picture as `options` wants them, from a processor's `scores` and `boxes`."""
    height, width = size
    boxes = found["boxes"].clamp(min=0).minimum(found["boxes"].new_tensor([width, height, width, height]))
    classes = {label.casefold() for label in options.labels} if only else set()
    labels = [
        Label(label=name, score=score, box=Box(xmin=box[0], ymin=box[1], xmax=box[2], ymax=box[3]))
        for name, score, box in zip(names, found["scores"].tolist(), boxes.tolist(), strict=True)
        if box[0] < box[2] and box[1] < box[3] and (not classes or name.casefold() in classes)
    ]
    labels.sort(key=lambda label: -(label.score or 0.0))
    return tuple(distinct(labels, options)[: options.top_k])


def distinct(labels: Sequence[Label], options: DetectionOptions) -> list[Label]:
    """Without those that overlap a surer one by more than `options.iou` (non-maximum suppression)."""
    if options.iou >= 1 or len(labels) < 2:
        return list(labels)
    import numpy as np
    from supervision import box_non_max_suppression

    kinds = {name: number for number, name in enumerate(dict.fromkeys(label.label for label in labels))}
    rows = [
        (
            box.xmin,
            box.ymin,
            box.xmax,
            box.ymax,
            label.score,
            0 if options.class_agnostic else kinds[label.label],
        )
        for label in labels
        if (box := label.box)
    ]
    keep = box_non_max_suppression(np.array(rows, dtype=np.float64), iou_threshold=options.iou)
    return [label for label, stays in zip(labels, keep, strict=True) if stays]
