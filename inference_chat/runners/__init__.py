"""What can do what: for each task its parameters, for each architecture its runner and its tasks."""

from typing import NamedTuple

from ..errors import UnsupportedTask
from ..schema import Options
from ..tasks import TASKS, Task
from .base import Runner
from .checkpoint import Checkpoint
from .multimodal import AboutOptions, MultimodalRunner
from .text import TextOptions, TextRunner

OPTIONS: dict[Task, type[Options]] = {
    Task.TEXT_GENERATION: TextOptions,
    Task.IMAGE_TEXT_TO_TEXT: AboutOptions,
    Task.IMAGE_TO_TEXT: AboutOptions,
    Task.VIDEO_TEXT_TO_TEXT: AboutOptions,
    Task.VISUAL_QUESTION_ANSWERING: AboutOptions,
    Task.ANY_TO_ANY: AboutOptions,
}
"""The parameters of each task that can be done here: the same for every model that does it."""


class Family(NamedTuple):
    """Architectures with names that end alike, the runner that serves them, and what they can do.

    `key` is a field that the config must have besides, where the name alone does not tell.
    """

    end: str
    runner: type[Runner]
    tasks: tuple[Task, ...]
    key: str | None = None


SEES = (
    Task.IMAGE_TEXT_TO_TEXT,
    Task.VISUAL_QUESTION_ANSWERING,
    Task.IMAGE_TO_TEXT,
    Task.VIDEO_TEXT_TO_TEXT,
    Task.TEXT_GENERATION,
    Task.ANY_TO_ANY,
)

FAMILIES: tuple[Family, ...] = (
    Family("ForConditionalGeneration", MultimodalRunner, SEES, "vision_config"),
    Family("ForCausalLM", MultimodalRunner, SEES, "vision_config"),
    Family("ForCausalLM", TextRunner, (Task.TEXT_GENERATION,)),
    Family("LMHeadModel", TextRunner, (Task.TEXT_GENERATION,)),
)
"""The first that fits serves a model."""


def family_of(checkpoint: Checkpoint) -> Family:
    """The family of a model folder, by its architecture; `UnsupportedTask` when there is none."""
    for family in FAMILIES:
        if checkpoint.architecture.endswith(family.end) and (
            family.key is None or family.key in checkpoint.config
        ):
            return family
    shown = checkpoint.architecture or checkpoint.config.get("model_type") or "unknown"
    raise UnsupportedTask(
        f"{checkpoint.name!r} is a {shown}; models for {', '.join(OPTIONS)} can be run here."
    )


def words_of(family: Family) -> tuple[str, ...]:
    """The words people read for what a family can do, its main one first."""
    words = (word for task in family.tasks for word in (TASKS[task].word, *family.runner.capabilities))
    return tuple(dict.fromkeys(words))
