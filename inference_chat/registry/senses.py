"""Which kinds of files models take, told by their tasks; and `auto`, which stands for several of them."""

from ..tasks import Kind, Task
from .catalog import ModelRecord

ASKED = (Task.VISUAL_QUESTION_ANSWERING, Task.IMAGE_TO_TEXT, Task.VIDEO_TEXT_TO_TEXT)
"""What is answered by a plan where no single model does it."""
VOICE = "Voice"
"""What models can do that say their answers in a voice of their own, in the words people read."""
NOUNS: dict[Kind, str] = {"image": "pictures", "audio": "sounds", "video": "clips"}
AUTO = ModelRecord(
    name="auto",
    description="Takes what a message needs: one model that understands it, or several, step by step.",
    model_type="Plan",
    framework="plan",
    capabilities=("Chat", "Multimodal"),
    tasks=(Task.TEXT_GENERATION, Task.ANY_TO_ANY, *ASKED),
    tags=("text", "image", "audio", "video"),
)
"""Not in the registry: requests for it are planned, and other models do the work."""


def takes(record: ModelRecord) -> frozenset[Kind]:
    """The kinds of media that a model talks about, beside text."""
    if record.name == AUTO.name:
        return frozenset(("image", "audio", "video"))
    does = frozenset(record.tasks)
    kinds: dict[Kind, bool] = {
        "image": bool(does & {Task.IMAGE_TEXT_TO_TEXT, Task.VISUAL_QUESTION_ANSWERING}),
        "video": Task.VIDEO_TEXT_TO_TEXT in does,
        "audio": {Task.ANY_TO_ANY, Task.AUTOMATIC_SPEECH_RECOGNITION} <= does,
    }
    return frozenset(kind for kind, taken in kinds.items() if taken)
