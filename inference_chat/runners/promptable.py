"""What is shown to a model, followed through a clip: by models of the kind of SAM 2, which remember what
they have cut out (Ravi et al., 2024, https://arxiv.org/abs/2408.00714); they cut out of pictures too.

transformers prepares their pictures with torchvision only; resizing and normalising is all there is to it,
so a PIL processor with the same settings does it here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import InvalidRequest
from ..events import Event, Label
from ..media import ClipInfo, Frame
from ..schema import Options, Request
from .checkpoint import Checkpoint
from .loading import load_model
from .masks import region, tell_regions
from .prompts import MaskOptions, ShownOptions
from .tracking import Follow, Follows, Look, TrackingOptions
from .vision import Size, Tensors

if TYPE_CHECKING:
    from PIL.Image import Image

SETTINGS = ("preprocessor_config.json", "processor_config.json")
NAMES = ("size", "image_mean", "image_std", "rescale_factor")
SEEN = 0.0
"""An object whose logit is below is hidden."""


class PromptableRunner(Follows):
    """One model that follows what it is shown."""

    what: ClassVar[str] = "a model that follows what it is shown"
    example: ClassVar[Any] = MaskOptions(points=((1, 1),))

    def bring(self) -> None:
        from transformers import Sam2VideoModel

        self._reader = reader(self.checkpoint)
        self._model: Any = load_model(Sam2VideoModel, self.checkpoint, self.placement)

    # --- pictures ------------------------------------------------------------------------------------

    def checked(self, request: Request) -> Options:
        _some(request.options)
        return request.options

    def read(self, image: Any, options: Options) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._reader(images=image, return_tensors="pt")
        return found

    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        assert isinstance(options, MaskOptions)
        return [
            self._cut_out(inputs["pixel_values"][at : at + 1], size, options) for at, size in enumerate(sizes)
        ]

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        yield from tell_regions(found, index)

    def _cut_out(self, pixels: Any, size: Size, options: MaskOptions) -> list[tuple[str, float, Any]]:
        """Name, certainty and mask (height, width) of each object."""
        options.check(size[1], size[0])
        return [
            (name, score, mask)
            for (name, score, mask) in Memory(self, options, size).step(pixels)
            if score >= options.threshold
        ]

    # --- clips ---------------------------------------------------------------------------------------

    def ready(self, options: TrackingOptions, info: ClipInfo) -> None:
        if options.labels:
            raise InvalidRequest(
                f"labels: {self.checkpoint.name} knows no classes; show it what to follow: points, boxes."
            )
        _some(options)
        options.check(info.width, info.height)

    def looking(self, options: TrackingOptions, info: ClipInfo) -> tuple[Look, Follow]:
        """What finds what was shown in frames; it follows by itself."""
        memory: Memory | None = None

        def one(frame: Frame) -> tuple[Label, ...]:
            nonlocal memory
            if frame.time_s < options.at_s:
                return ()
            picture = frame.picture
            if memory is None:
                shown = options.scaled(picture.width / info.width, picture.height / info.height)
                memory = Memory(self, shown, (picture.height, picture.width))
            return memory.labels(picture, options.threshold or 0.0)

        return lambda batch: [one(frame) for frame in batch], lambda _, found, __: found


class Memory:
    """What a model was shown, and what it remembers of it from frame to frame."""

    def __init__(self, runner: PromptableRunner, shown: ShownOptions, size: Size) -> None:
        """`shown` is in pixels of pictures of that `size`: height, width."""
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        self._runner, self._size, self._next = runner, size, 0
        config = runner._model.config
        self._kept = max(config.num_maskmem, config.max_object_pointers_in_encoder) + 1
        device = runner.placement.device
        self._session = Sam2VideoInferenceSession(
            video_height=size[0],
            video_width=size[1],
            inference_device=device,
            inference_state_device=device,
            video_storage_device=device,
            dtype=runner._model.dtype,
        )
        self._show(shown)

    def _show(self, shown: ShownOptions) -> None:
        """Points are of one object, boxes without points one each; the model's own picture is a square."""
        import torch

        side = self._runner._reader.size
        scale = torch.tensor([side["width"] / self._size[1], side["height"] / self._size[0]])
        asked = [(shown.points, shown.point_labels or (1,) * len(shown.points), shown.boxes[:1])]
        if not shown.points:
            asked = [((), (), (box,)) for box in shown.boxes]
        for number, (points, marks, boxes) in enumerate(asked, 1):
            corners = [corner for box in boxes for corner in (box[:2], box[2:])]
            places = torch.tensor([*corners, *points], dtype=torch.float32) * scale
            kinds = torch.tensor([*([2, 3] if boxes else []), *marks], dtype=torch.int32)
            at = self._session.obj_id_to_idx(number)
            given = {"point_coords": places[None, None], "point_labels": kinds[None, None]}
            self._session.add_point_inputs(at, 0, given)
        self._session.obj_with_new_inputs = list(range(1, len(asked) + 1))

    def step(self, pixels: Any) -> list[tuple[str, float, Any]]:
        """Name, certainty and mask (height, width) of each object in the next frame, prepared (1, 3, …).

        The mask of one that is hidden is empty.
        """
        import torch

        with torch.inference_mode():
            out = self._runner._model(
                self._session, frame=pixels.to(self._session.inference_device), frame_idx=self._next
            )
            masks = torch.nn.functional.interpolate(
                out.pred_masks.to("cpu", torch.float32), self._size, mode="bilinear", align_corners=False
            )
            sure = out.object_score_logits.to("cpu", torch.float32).flatten()
        self._next += 1
        self._forget()
        names = ["object"] if len(sure) == 1 else [f"object {at + 1}" for at in range(len(sure))]
        return [
            (name, float(torch.sigmoid(logit)), (mask[0].numpy() > 0) & bool(logit > SEEN))
            for name, logit, mask in zip(names, sure, masks, strict=True)
        ]

    def labels(self, picture: "Image", threshold: float) -> tuple[Label, ...]:
        """The objects in the next frame, each with its track; those that are hidden are left out."""
        ready = self._runner.read(picture, self._runner.example)["pixel_values"]
        found = self.step(ready.to(dtype=self._session.dtype))
        told = [
            one.model_copy(update={"track": number, "mask": None})
            for number, (name, score, mask) in enumerate(found, 1)
            if score >= threshold and (one := region(name, score, mask))
        ]
        return tuple(told)

    def _forget(self) -> None:
        """Drop what the model looks back at no more; the frames themselves are needed once."""
        last = self._next - 1
        frames = self._session.processed_frames or {}
        for at in [at for at in frames if at < last]:
            del frames[at]
        for kept in self._session.output_dict_per_obj.values():
            past = kept["non_cond_frame_outputs"]
            for at in [at for at in past if at < last - self._kept]:
                del past[at]


def reader(checkpoint: Checkpoint) -> Any:
    """What prepares pictures (RGB) for models of the kind of SAM 2: resized to a square, normalised."""
    from transformers import ViTImageProcessorPil

    told: dict[str, Any] = {}
    for name in SETTINGS:
        path = checkpoint.folder / name
        found = json.loads(path.read_bytes()) if path.is_file() else {}
        told = {**found, **found.get("image_processor", {})} | told
    how: dict[str, Any] = {
        "size": {"height": 1024, "width": 1024},
        "image_mean": (0.485, 0.456, 0.406),  # of ImageNet, as published
        "image_std": (0.229, 0.224, 0.225),
        "resample": 2,
    }
    return ViTImageProcessorPil(**how | {name: told[name] for name in NAMES if name in told})


def _some(options: Any) -> None:
    if not options.points and not options.boxes:
        raise InvalidRequest(
            "Show what is meant: `points`, as [[120, 80]], or `boxes`, as [[10, 20, 110, 220]], in pixels."
        )
