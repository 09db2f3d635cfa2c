"""The mask of what a point or a box shows, by SAM and its like; without any, of all that can be told apart.

A picture is read once and remembered, so that a second click on it is answered quickly.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar

from ..events import Event
from ..schema import Options
from .checkpoint import Checkpoint
from .device import Placement
from .masks import tell_regions
from .prompts import MaskOptions
from .vision import Size, Tensors, VisionRunner

REMEMBERED = 4
"""Pictures whose reading is kept; each takes about 4 MB."""
SURE = 0.88
"""Of a grid's masks only those are told whose quality the model puts higher, as SAM's own generator does."""
OVERLAP = 0.7
GRID_STEP = 64
"""Points of a grid that are tried at once."""
PROMPTS = ("input_points", "input_labels", "input_boxes")
GEOMETRY = ("original_sizes", "reshaped_input_sizes")


class MaskRunner(VisionRunner):
    """One model that cuts out what it is shown."""

    what: ClassVar[str] = "a model that cuts out what it is shown"
    auto: ClassVar[str] = "AutoModelForMaskGeneration"
    reader: ClassVar[str] = "AutoProcessor"
    example: ClassVar[Options] = MaskOptions(points=((1, 1),))

    def __init__(self, checkpoint: Checkpoint, placement: Placement) -> None:
        super().__init__(checkpoint, placement)
        self._known: OrderedDict[bytes, Any] = OrderedDict()

    def unload(self) -> None:
        super().unload()
        self._known.clear()

    def read(self, image: Any, options: Options) -> Mapping[str, Any]:
        """The picture with the points and boxes in the model's own pixels."""
        assert isinstance(options, MaskOptions)
        options.check(image.width, image.height)
        points = list(options.points)
        if not points and not options.boxes:
            points = _grid(image.width, image.height, options.points_per_side)
        how: dict[str, Any] = {}
        if points:
            alone = not options.points
            labels = list(options.point_labels or (1,) * len(points))
            how["input_points"] = [
                [[list(point)] for point in points] if alone else [[list(p) for p in points]]
            ]
            how["input_labels"] = [[[1] for _ in points] if alone else [labels]]
        if options.boxes:
            how["input_boxes"] = [[list(box) for box in options.boxes]]
        found: Mapping[str, Any] = self._reader(images=image, return_tensors="pt", **how)
        return found

    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        assert isinstance(options, MaskOptions)
        return [
            self._cut_out({key: value[at : at + 1] for key, value in inputs.items()}, options)
            for at in range(len(sizes))
        ]

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        yield from tell_regions(found, index)

    def _cut_out(self, inputs: Tensors, options: MaskOptions) -> list[tuple[str, float, Any]]:
        """Name, quality and mask (height, width) of each object in one picture."""
        grid = not options.points and not options.boxes
        masks, scores = self._masks(inputs)
        if grid:
            masks, scores = _best(masks, scores)
            keep = (scores[:, 0] > SURE).nonzero().flatten()
            keep = keep[_apart(masks[keep, 0], scores[keep, 0])]
            masks, scores = masks[keep], scores[keep]
        elif not options.alternatives:
            masks, scores = _best(masks, scores)
        if not len(masks):
            return []
        whole = self._in_full(masks, inputs)
        names = ["object"] if len(masks) == 1 else [f"object {at + 1}" for at in range(len(masks))]
        return [
            (name, score, mask.numpy())
            for name, row, own in zip(names, scores.tolist(), whole, strict=True)
            for score, mask in zip(row, own, strict=True)
            if not options.threshold or score >= options.threshold
        ]

    def _masks(self, inputs: Tensors) -> tuple[Any, Any]:
        """Masks (objects, candidates, rows, columns), as logits, and their quality (objects, candidates)."""
        import torch

        seen = self._embedded(inputs["pixel_values"])
        asked = {key: inputs[key] for key in PROMPTS if key in inputs}
        count = next(iter(asked.values())).shape[1]
        masks, scores = [], []
        for start in range(0, count, GRID_STEP):
            part = {key: value[:, start : start + GRID_STEP] for key, value in asked.items()}
            out = self._model(image_embeddings=seen, multimask_output=True, **part)
            masks.append(out.pred_masks[0].to("cpu", torch.float32))
            scores.append(out.iou_scores[0].to("cpu", torch.float32))
        return torch.cat(masks), torch.cat(scores)

    def _embedded(self, pixels: Any) -> Any:
        """What the model sees in a picture (1, 3, rows, columns); remembered."""
        import torch

        key = sha256(pixels.to("cpu", torch.float32).numpy().tobytes()).digest()
        if key not in self._known:
            self._known[key] = self._model.get_image_embeddings(pixels)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def _in_full(self, masks: Any, inputs: Tensors) -> Any:
        """Masks (objects, candidates, height, width) in the picture's own size, true on the object."""
        places = {key: inputs[key].cpu() for key in GEOMETRY if key in inputs}
        return self._reader.post_process_masks([masks], **places)[0]


def _grid(width: int, height: int, side: int) -> list[tuple[float, float]]:
    steps = [(at + 0.5) / side for at in range(side)]
    return [(x * width, y * height) for y in steps for x in steps]


def _best(masks: Any, scores: Any) -> tuple[Any, Any]:
    """Of each object's candidates the one with the highest quality."""
    import torch

    best, rows = scores.argmax(1), torch.arange(len(scores))
    return masks[rows, best][:, None], scores[rows, best][:, None]


def _apart(masks: Any, scores: Any) -> list[int]:
    """Which masks (objects, rows, columns) are no repetition of a better one."""
    import numpy as np
    from supervision import mask_non_max_suppression

    if not len(masks):
        return []
    shown = (masks > 0).numpy()
    boxes = np.zeros((len(shown), 5))
    boxes[:, 4] = scores.numpy()
    keep = mask_non_max_suppression(boxes, shown, iou_threshold=OVERLAP)
    return [int(at) for at in np.flatnonzero(keep)]
