"""Which object of a frame is which of the frame before: BoT-SORT, by the library `trackers`.

Aharon et al., "BoT-SORT: Robust Associations Multi-Pedestrian Tracking", arXiv:2206.14651, without looks.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ModelFailed
from ..events import Label

if TYPE_CHECKING:
    from PIL.Image import Image

WEAK = 0.4
"""Objects less sure than the threshold, by no more than this share of it, still carry a track on."""
FADING = 0.8
"""How much of a name is remembered from one look to the next: behind a fade an object may be another."""
BUFFER_FPS = 30
"""The rate in whose frames the library counts how long it remembers."""


class Follower:
    """Gives the objects of a clip numbers that stay; called frame after frame.

    An object must be at least `threshold` sure to begin a track, and is remembered for `memory` seconds
    when it is not seen. `steady` frames in a row make a track.
    """

    def __init__(
        self, fps: float, *, threshold: float, memory: float, overlap: float, steady: int, moving: bool
    ) -> None:
        try:
            from trackers import BoTSORTTracker
        except ImportError as error:  # a system library that OpenCV is linked to is not there
            raise ModelFailed(
                f"Tracking needs OpenCV, which does not start here ({error}). "
                "On Debian: apt install libgl1 libglib2.0-0."
            ) from error
        self._tracker: Any = BoTSORTTracker(
            lost_track_buffer=max(1, round(memory * BUFFER_FPS)),
            frame_rate=max(1.0, fps),
            track_activation_threshold=threshold,
            high_conf_det_threshold=threshold,
            minimum_consecutive_frames=steady,
            minimum_iou_threshold_first_assoc=overlap,
            enable_cmc=moving,
        )
        self._moving = moving
        self._given = self._before = 0
        self._votes: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def restart(self) -> None:
        """Forget all objects, as after a cut; the numbers go on."""
        self._tracker.reset()
        self._before = self._given

    def update(
        self, found: Sequence[Label], time_s: float, picture: "Image | None" = None
    ) -> tuple[Label, ...]:
        """The objects among `found` (with boxes and scores) that are tracked, the surest first.

        An object goes by the class that it was seen as most often of late. `picture` is looked at when
        the camera moves.
        """
        tracked = self._tracker.update(self._detections(found), self._frame(picture), timestamp=time_s)
        if tracked.tracker_id is None or not len(tracked):
            return ()
        pairs = zip(tracked.data["place"].tolist(), tracked.tracker_id.tolist(), strict=True)
        labels = [self._named(found[place], track) for place, track in pairs if track >= 0]
        return tuple(sorted(labels, key=lambda label: -(label.score or 0.0)))

    def _named(self, label: Label, track: int) -> Label:
        number = self._before + track + 1
        self._given = max(self._given, number)
        votes = self._votes[number]
        for name in votes:
            votes[name] *= FADING  # type: ignore[assignment]
        votes[label.label] += label.score or 1.0  # type: ignore[assignment]  # a Counter may hold shares
        return label.model_copy(update={"track": number, "label": votes.most_common(1)[0][0]})

    def _detections(self, found: Sequence[Label]) -> Any:
        import numpy as np
        from supervision import Detections

        boxes = [(box.xmin, box.ymin, box.xmax, box.ymax) for one in found if (box := one.box)]
        return Detections(
            xyxy=np.array(boxes, dtype=np.float64).reshape(-1, 4),
            confidence=np.array([one.score or 0.0 for one in found], dtype=np.float64),
            class_id=np.zeros(len(found), dtype=np.int64),
            data={"place": np.arange(len(found))},
        )

    def _frame(self, picture: "Image | None") -> Any:
        import numpy as np

        return np.asarray(picture)[..., ::-1] if self._moving and picture is not None else None
