"""What all runners for pictures share: the pictures of a request come in batches and leave one by one.

A picture is prepared on its own, and only pictures that are then of one shape share a batch: nothing is
padded for a neighbour's sake, so that an answer does not depend on what else was asked for.
"""

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event as Flag
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import BadMedia, TooLarge, UnsupportedMediaType
from ..events import Event, Finished, FinishReason, Progress
from ..media import open_image
from ..schema import Media, Options, Request
from .base import Runner
from .checkpoint import Checkpoint
from .device import Placement
from .loading import explained, load_model, load_reader, refusal

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_BATCH = 16
"""On a CPU more pictures at once bring nothing: 64 are slower than 16 by a quarter (ViT, 224 pixels)."""
LARGEST_BATCH_ON_GPU = 64
FEW = 4
"""Pictures at once as long as nobody knows how long one takes; fewer go at a slower pace."""
STEP_SECONDS = 0.5
"""How long more than a few may take: other requests wait so long for their turn, and so does a stop."""
WORK_SPACE = 256 * 2**20
"""Bytes that a batch may take while it is worked on."""
ACTIVATIONS = 16
"""How many times the bytes of its prepared pixels a picture takes at most while it goes through a model."""
UNREADABLE = (BadMedia, TooLarge, UnsupportedMediaType)

Size = tuple[int, int]
"""Height and width in pixels."""
Tensors = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """A picture made ready: its place in the request, its size, and tensors (1, …) for the model."""

    index: int
    size: Size
    inputs: Tensors

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(tensor.shape) for tensor in self.inputs.values())

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.inputs.values())


class VisionRunner(Runner):
    """A model of pictures: its inputs prepared by PIL, its outputs read by its own processor."""

    what: ClassVar[str]
    """What it is, for messages: `an image classifier`."""
    auto: ClassVar[str]
    """The Auto class of transformers that loads it."""
    reader: ClassVar[str] = "AutoImageProcessor"
    optional: ClassVar[tuple[str, ...]] = ()
    """Parts of names of tensors that may be missing, because nothing uses them."""
    example: ClassVar[Options]
    """Options that every model of the kind can be tried with."""

    def __init__(self, checkpoint: Checkpoint, placement: Placement) -> None:
        if placement.device == "cpu" and placement.dtype == "float16":
            placement = replace(placement, dtype="float32")  # half precision is slow on a CPU, or not there
        super().__init__(checkpoint, placement)
        self._seconds: float | None = None  # that a picture took lately

    @classmethod
    def estimate(cls, checkpoint: Checkpoint, bytes_per_element: int) -> int:
        """Weights, a tenth, and what a batch of pictures takes: 512 pixels wide where nothing is said."""
        weights = checkpoint.tensors.elements * bytes_per_element
        side = checkpoint.config.get("image_size", 512)
        width = side if isinstance(side, int) else 512
        work = LARGEST_BATCH * ACTIVATIONS * 3 * width**2 * bytes_per_element
        return weights + weights // 10 + min(WORK_SPACE, work)

    def load(self) -> None:
        from PIL import Image

        with explained(self.checkpoint, self.what):
            self.bring()
            # Weights are mapped from the file and come into memory when they are first used: now.
            blank = self.prepared(0, Image.new("RGB", (64, 48)), self.example)
            self.seen([blank], self.example)
        self._seconds = None  # the first time is slower

    def bring(self) -> None:
        """Load the processor and the model."""
        import transformers

        self._reader = self.load_reader(getattr(transformers, self.reader))
        self._model: Any = load_model(
            getattr(transformers, self.auto), self.checkpoint, self.placement, optional=self.optional
        )

    def load_reader(self, auto: Any) -> Any:
        """The processor, which works with PIL: torchvision is not needed where it can be done without."""
        return load_reader(auto, self.checkpoint, backend="pil")

    def unload(self) -> None:
        del self._model, self._reader

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        media = [one for one in request.media if one.kind == "image"]
        options, notes = self.checked(request), list[str]()
        total, done = len(media), 0
        for start in range(0, total, self._most):
            pictures: list[Picture] = []
            for index, medium in enumerate(media[start : start + self._most], start):
                if stop.is_set():
                    break
                pictures += self._opened(index, medium, options, notes, total)
                yield _worked(done, total)
            for batch in self._batches(pictures):
                if stop.is_set():
                    yield Finished(finish_reasons=("cancelled",), notes=tuple(notes))
                    return
                for picture, found in zip(batch, self.seen(batch, options), strict=True):
                    yield from self.tell(found, picture.index, options)
                yield _worked(done := done + len(batch), total)
        reason: FinishReason = "cancelled" if stop.is_set() else "stop"
        yield Finished(finish_reasons=(reason,), notes=tuple(notes))

    # --- what a kind of model does -------------------------------------------------------------------

    def checked(self, request: Request) -> Options:
        """The options of a request; raises `InvalidRequest` when this model cannot follow them."""
        return request.options

    def read(self, image: "Image", options: Options) -> Mapping[str, Any]:
        """The tensors (1, …) that the model takes for one picture."""
        found: Mapping[str, Any] = self._reader(images=image, return_tensors="pt")
        return found

    @abstractmethod
    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        """What the model finds in a batch, one for each picture; called with gradients off."""

    @abstractmethod
    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        """The events of picture number `index`, from what `look` found in it."""

    # --- batches -------------------------------------------------------------------------------------

    def prepared(self, index: int, image: "Image", options: Options) -> Picture:
        import torch

        tensors = {key: value for key, value in self.read(image, options).items() if torch.is_tensor(value)}
        return Picture(index, (image.height, image.width), tensors)

    def seen(self, batch: Sequence[Picture], options: Options) -> Sequence[Any]:
        """What `look` finds in pictures of one shape."""
        import torch

        began = time.perf_counter()
        try:
            with torch.inference_mode():
                found = self.look(self._stacked(batch), [picture.size for picture in batch], options)
        except NameError as error:  # some of transformers' PIL processors use torchvision unasked
            raise refusal(self.checkpoint, self.what, error) from error
        took = (time.perf_counter() - began) / len(batch)
        self._seconds = took if self._seconds is None else (self._seconds + took) / 2
        return found

    def outputs(self, inputs: Tensors) -> Any:
        """What the model says: its outputs, of which tensors are float32 on the CPU."""
        import torch

        out = self._model(**inputs)
        for key, value in out.items():
            if torch.is_tensor(value):
                out[key] = value.to("cpu", torch.float32 if value.is_floating_point() else None)
        return out

    def name_of(self, label: int) -> str:
        """The word for a class."""
        return str(self._model.config.id2label.get(int(label), f"LABEL_{int(label)}"))

    def _opened(
        self, index: int, medium: Media, options: Options, notes: list[str], total: int
    ) -> list[Picture]:
        """The picture, made ready; one of several that cannot be read is left out, with a note."""
        try:
            return [self.prepared(index, open_image(medium.read()), options)]
        except UNREADABLE as error:
            if total == 1:
                raise
            notes.append(f"Picture {index + 1} was left out. {error.detail}")
            return []

    @property
    def _most(self) -> int:
        return LARGEST_BATCH_ON_GPU if self.placement.device == "cuda" else LARGEST_BATCH

    def _batches(self, pictures: Sequence[Picture]) -> Iterator[list[Picture]]:
        """Pictures of one shape together, so many at once as fit into memory."""
        alike: dict[tuple[tuple[int, ...], ...], list[Picture]] = {}
        for picture in pictures:
            alike.setdefault(picture.shapes, []).append(picture)
        for group in alike.values():
            start = 0
            while start < len(group):
                size = self._fit(group[0])
                yield group[start : start + size]
                start += size

    def _fit(self, picture: Picture) -> int:
        """How many pictures like this one go through the model at once."""
        space = WORK_SPACE
        if self.placement.device == "cuda":
            import torch

            space = torch.cuda.mem_get_info()[0] // 4
        slow = self._seconds or 0.0
        in_time = 1 if slow > STEP_SECONDS else max(FEW, int(STEP_SECONDS / slow) if slow else 0)
        in_space = space // max(1, picture.bytes * ACTIVATIONS)
        return max(1, min(self._most, in_time, in_space))

    def _stacked(self, batch: Sequence[Picture]) -> Tensors:
        """One tensor of all pictures for each input, where and in the format that the model works."""
        import torch

        device, dtype = self.placement.device, self._model.dtype
        joined = {key: torch.cat([one.inputs[key] for one in batch]) for key in batch[0].inputs}
        return {
            key: value.to(device, dtype if value.is_floating_point() else None)
            for key, value in joined.items()
        }


def _worked(done: int, total: int) -> Progress:
    return Progress(phase="working", fraction=done / total, done=done, total=total, unit="pictures")
