"""What an input may ask for that names neither a task nor a model."""

from collections.abc import Sequence

from .schema import JSON, Media
from .tasks import Group, Kind, Task

FINDS: dict[Kind, tuple[Task, ...]] = {
    "image": (Task.OBJECT_DETECTION, Task.IMAGE_CLASSIFICATION),
    "video": (Task.OBJECT_TRACKING, Task.VIDEO_CLASSIFICATION, Task.SCENE_DETECTION),
}
"""What a plan answers by where no model takes questions."""
LOOKS = (
    Task.IMAGE_CLASSIFICATION,
    Task.OBJECT_DETECTION,
    Task.IMAGE_SEGMENTATION,
    Task.IMAGE_TO_TEXT,
    Task.MASK_GENERATION,
    Task.DEPTH_ESTIMATION,
    Task.IMAGE_FEATURE_EXTRACTION,
    Task.IMAGE_TO_IMAGE,
)
LOOKS_FOR = (Task.ZERO_SHOT_IMAGE_CLASSIFICATION, Task.ZERO_SHOT_OBJECT_DETECTION)
WATCHES = (
    Task.VIDEO_CLASSIFICATION,
    Task.OBJECT_TRACKING,
    Task.SCENE_DETECTION,
    Task.VIDEO_TEXT_TO_TEXT,
)


def suggested(
    group: Group | None, media: Sequence[Media], prompt: str | None, parameters: JSON
) -> Sequence[Task]:
    """What an input may ask for that names neither task nor model: what people mean most often first."""
    match group:
        case "image" if not media:
            return (Task.TEXT_TO_IMAGE,)
        case "image" if prompt:
            return (Task.VISUAL_QUESTION_ANSWERING, Task.IMAGE_TO_IMAGE)
        case "image":
            return (*LOOKS_FOR, *LOOKS) if "labels" in parameters else LOOKS
        case "video" if not media:
            return (Task.TEXT_TO_VIDEO,)
        case "video":
            return (Task.VIDEO_TEXT_TO_TEXT,) if prompt else WATCHES
        case "multimodal" if media and all(one.kind == "audio" for one in media) and not prompt:
            return (Task.AUTOMATIC_SPEECH_RECOGNITION,)
        case "multimodal":
            return (Task.ANY_TO_ANY,)
        case _:
            return (Task.TEXT_GENERATION,)
