"""Which runner serves which task: the table that a new task is added to."""

from ..errors import UnsupportedTask
from ..schema import Task
from .base import Runner
from .checkpoint import Checkpoint
from .text import TextRunner

RUNNERS: dict[Task, type[Runner]] = {
    Task.TEXT_GENERATION: TextRunner,
}

ARCHITECTURES: tuple[tuple[str, Task], ...] = (
    ("ForCausalLM", Task.TEXT_GENERATION),
    ("LMHeadModel", Task.TEXT_GENERATION),
)
"""Ends of architecture names and the task they serve."""


def task_of(checkpoint: Checkpoint) -> Task:
    """The task a model folder serves, by its architecture; `UnsupportedTask` when there is none."""
    for end, task in ARCHITECTURES:
        if checkpoint.architecture.endswith(end):
            return task
    shown = checkpoint.architecture or checkpoint.config.get("model_type") or "unknown"
    raise UnsupportedTask(
        f"{checkpoint.name!r} is a {shown}; models for {', '.join(RUNNERS)} can be run here."
    )
