"""Tracked objects drawn into the frames of a clip: boxes, names, where they came from, lines and zones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..events import Label
from ..media.motion import Line, Zone

if TYPE_CHECKING:
    from PIL.Image import Image

READABLE = 60
"""Pixels of the picture's longer side to one of a label's height."""


class Overlay:
    """Draws what was found into pictures of one clip; called frame after frame, by one thread."""

    def __init__(self, lines: Sequence[Line] = (), zones: Sequence[Zone] = ()) -> None:
        self._lines = lines
        self._zones = zones
        self._pens: tuple[Any, ...] = ()

    def draw(self, picture: "Image", found: tuple[Sequence[Label], float]) -> "Image":
        """The picture with its objects; boxes are multiplied by the second of `found` to fit it."""
        from PIL import Image

        labels, scale = found
        scene = self._places(np.array(picture), scale)
        told = self._detections(labels, scale)
        if told is not None:
            pens = self._pens or self._made(max(picture.size))
            names = [f"{label.label} {label.track} {label.score or 0:.0%}" for label in labels if label.box]
            trace, box, name = pens
            scene = name.annotate(box.annotate(trace.annotate(scene, told), told), told, labels=names)
        return Image.fromarray(np.asarray(scene))

    def _made(self, side: int) -> tuple[Any, ...]:
        import supervision as sv

        by_track: dict[str, Any] = {"color_lookup": sv.ColorLookup.TRACK}
        thick = max(1, side // 400)
        self._pens = (
            sv.TraceAnnotator(thickness=thick, trace_length=40, **by_track),
            sv.BoxAnnotator(thickness=thick, **by_track),
            sv.RichLabelAnnotator(
                font_size=max(9, side // READABLE), text_padding=max(1, thick * 2), **by_track
            ),
        )
        return self._pens

    def _places(self, scene: Any, scale: float) -> Any:
        import supervision as sv

        thick = max(1, max(scene.shape[:2]) // 300)
        for zone in self._zones:
            corners = (np.array(zone) * scale).round().astype(np.int64)
            scene = sv.draw_polygon(scene, corners, sv.Color.YELLOW, thickness=thick)
        for start, end in self._lines:
            one, other = (sv.Point(x * scale, y * scale) for x, y in (start, end))
            scene = sv.draw_line(scene, one, other, color=sv.Color.WHITE, thickness=thick)
        return scene

    def _detections(self, labels: Sequence[Label], scale: float) -> Any:
        import supervision as sv

        boxes = [(box.xmin, box.ymin, box.xmax, box.ymax) for label in labels if (box := label.box)]
        if not boxes:
            return None
        tracks = np.array([label.track or 0 for label in labels if label.box])
        return sv.Detections(np.array(boxes) * scale, tracker_id=tracks, class_id=np.zeros_like(tracks))
