"""How far away each pixel of a picture is, by any depth model: a 16-bit PNG, white near."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from ..events import Event, File, ImageReady
from ..media import image_bytes
from ..schema import Options
from .vision import Size, Tensors, VisionRunner

WHITE = 2**16 - 1
METRIC = ("max_depth", "bin_configurations", "use_fov_model")
"""Settings that only models with distances in metres have; others say how near things are, to a scale."""


class DepthOptions(Options):
    """Depth has no parameters."""


class DepthRunner(VisionRunner):
    """One model that tells depth."""

    what: ClassVar[str] = "a depth model"
    auto: ClassVar[str] = "AutoModelForDepthEstimation"
    # The first stage has nothing to add to, so it is saved without what would add.
    optional: ClassVar[tuple[str, ...]] = ("fusion_stage.layers.0.residual_layer1",)
    example: ClassVar[Options] = DepthOptions()

    @property
    def metric(self) -> bool:
        """Whether depths are distances, in metres; else larger is nearer."""
        kind = self.checkpoint.config.get("depth_estimation_type")
        if kind is not None:
            return bool(kind == "metric")
        return any(key in self.checkpoint.config for key in METRIC)

    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        read = self._reader.post_process_depth_estimation
        how: dict[str, Any] = {"target_sizes": list(sizes)}
        if "source_sizes" in inspect.signature(read).parameters:  # to cut its padding off again
            how["source_sizes"] = list(sizes)
        return [one["predicted_depth"].numpy() for one in read(self.outputs(inputs), **how)]

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        import numpy as np
        from PIL import Image

        low, high = float(found.min()), float(found.max())
        scaled = (found - low) / (high - low) if high > low else np.zeros_like(found)
        nearness = 1 - scaled if self.metric else scaled
        grey = Image.fromarray((nearness * WHITE).round().astype(np.uint16))
        near, far = (low, high) if self.metric else (high, low)
        yield ImageReady(
            image=File(data=image_bytes(grey), media_type="image/png"),
            role="depth",
            index=index,
            near=near,
            far=far,
        )
