"""What a registration tells, read from folders, cards and people's words; and how a record is shown."""

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from ..errors import InvalidRequest
from ..registry.cards import ModelCard
from ..registry.registry import ModelRecord
from ..runners import OPTIONS, family_of, words_of
from ..runners.checkpoint import Checkpoint
from ..runners.device import cpu_format
from ..schema import JSON, Options, explain
from ..tasks import TASKS, Task

PREFERRED = "starter-"
WORDS_OF_TASKS = {needs.word: task for task, needs in TASKS.items()} | {"Chat": Task.TEXT_GENERATION}


def nearness(record: ModelRecord) -> tuple[bool, bool]:
    """Sorts starters first, and what other servers run last: nothing is sent there unasked."""
    return record.source == "endpoint", not record.name.startswith(PREFERRED)


def of_card(card: ModelCard | None) -> JSON:
    if card is None:
        return {}
    return card.model_dump(exclude={"text", "only"}, exclude_defaults=True)


def of_checkpoint(checkpoint: Checkpoint, *, only: Sequence[str] = (), digest: bool = True) -> JSON:
    """What a model's files tell of it; `digest=False` where they are not here to be read.

    Of what its architecture can do, a model that learnt some of it alone does `only` that.
    """
    family = family_of(checkpoint)
    if kept := tuple(task for task in family.tasks if task in only):
        family = family._replace(tasks=kept)
    words = words_of(family, checkpoint)
    element = 2 if cpu_format(checkpoint) == "bfloat16" else 4
    return {
        "model_type": words[0],
        "framework": checkpoint.framework,
        "capabilities": words,
        "tasks": tuple(task.value for task in family.tasks),
        "file_size": checkpoint.file_size,
        "sha256": checkpoint.digest if digest else None,
        "memory_estimate": family.runner.estimate(checkpoint, element),
    }


def tasks_of(body: JSON) -> tuple[str, ...]:
    """Task names from the words people use."""
    listed = body.get("capabilities")
    words = [body.get("model_type"), *(listed if isinstance(listed, list | tuple) else ())]
    known = [word for word in words if isinstance(word, str) and word in WORDS_OF_TASKS]
    return tuple(dict.fromkeys(WORDS_OF_TASKS[word].value for word in known))


def parameters_of(record: ModelRecord, task: Task, *given: JSON) -> Options:
    """Validated parameters: the model's defaults, overlaid by each of `given`; raises `InvalidRequest`."""
    known = OPTIONS[task]
    merged: JSON = dict(record.parameters)
    if record.tasks and task != record.tasks[0]:  # the defaults are those of what it does first of all
        merged = {name: value for name, value in merged.items() if name in known.model_fields}
    for values in given:
        merged.update(values)
    try:
        return known.model_validate(merged)
    except ValidationError as error:
        raise InvalidRequest(f"{explain(error)}. Known: {', '.join(known.model_fields)}.") from None


def existing(path: str) -> Path | None:
    """What is at a path of the server; None when that is nothing, or it cannot be a path."""
    try:
        found = Path(path).expanduser()
        return found if found.exists() else None
    except (OSError, RuntimeError, ValueError):  # a name too long, `~` of nobody, a zero byte
        return None


def differs(record: ModelRecord, known: ModelRecord | None) -> bool:
    if known is None:
        return True
    own: set[str] = {"created_at", "updated_at", "memory_used", "note", "pinned", "edited", *known.edited}
    return record.model_dump(exclude=own) != known.model_dump(exclude=own)


def public_path(path: str | None) -> str | None:
    """A path as clients may see it: below the working folder, else the last two names."""
    if path is None or not os.path.isabs(path):
        return path
    here = os.path.relpath(path)
    return here if not here.startswith("..") else os.path.join(*Path(path).parts[-2:])
