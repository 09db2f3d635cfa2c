"""The labelled sets that come with the app, and those that people have sent."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from ..errors import InvalidRequest, StorageFailed
from ..files import explain_failure
from ..schema import Frozen
from ..tasks import Task
from .labelled import LabelledSet

SETS: Final = Path(__file__).parents[2] / "examples" / "sets"


class BuiltIn(Frozen):
    """A set that comes with the app."""

    name: str
    task: Task
    file: str
    about: str


BUILT_IN: Final = {
    one.name: one
    for one in (
        BuiltIn(
            name="shapes",
            task=Task.IMAGE_CLASSIFICATION,
            file="shapes.zip",
            about="120 scenes, the largest object's colour and shape; a quarter are new combinations.",
        ),
        BuiltIn(
            name="shapes-boxes",
            task=Task.OBJECT_DETECTION,
            file="shapes-boxes.zip",
            about="80 scenes with every object's box; a quarter are new combinations.",
        ),
        BuiltIn(
            name="shapes-masks",
            task=Task.IMAGE_SEGMENTATION,
            file="shapes-masks.zip",
            about="80 scenes with the label of every pixel; a quarter are new combinations.",
        ),
        BuiltIn(
            name="shapes-questions",
            task=Task.VISUAL_QUESTION_ANSWERING,
            file="shapes-questions.zip",
            about="Questions about 60 scenes, with their answers.",
        ),
        BuiltIn(
            name="motions",
            task=Task.VIDEO_CLASSIFICATION,
            file="motions.zip",
            about="48 short clips, how things in them move.",
        ),
        BuiltIn(
            name="sounds",
            task=Task.AUDIO_CLASSIFICATION,
            file="sounds.zip",
            about="42 sounds made by formulas, two of each kind.",
        ),
        BuiltIn(
            name="spoken",
            task=Task.AUTOMATIC_SPEECH_RECOGNITION,
            file="spoken.zip",
            about="16 sentences spoken by synthetic voices.",
        ),
        BuiltIn(
            name="questions",
            task=Task.TEXT_GENERATION,
            file="questions.jsonl",
            about="180 questions with one right answer: sums, units, words.",
        ),
        BuiltIn(
            name="requests",
            task=Task.TEXT_CLASSIFICATION,
            file="requests.jsonl",
            about="168 requests in free words, and the task that each asks for.",
        ),
    )
}


class Sets:
    """Built-in sets by their names, others by an id; safe to use from any thread."""

    def __init__(self, folder: Path, built_in: Path = SETS) -> None:
        """`folder` keeps the sets that people send; it is made when the first one comes."""
        self._folder = folder
        self._built_in = built_in

    def built_in(self) -> list[BuiltIn]:
        """The built-in sets that are there."""
        return [one for one in BUILT_IN.values() if (self._built_in / one.file).is_file()]

    def open(self, id: str) -> LabelledSet:
        """A set by its name or id; raises `InvalidRequest` when there is none."""
        if id in BUILT_IN and (path := self._built_in / BUILT_IN[id].file).is_file():
            return LabelledSet(path, id)
        folder = self._folder / id
        files = sorted(folder.iterdir()) if id.isalnum() and folder.is_dir() else []
        if not files:
            known = ", ".join(one.name for one in self.built_in()) or "none"
            raise InvalidRequest(f"There is no set {id[:80]!r}: send it, or take a built-in one ({known}).")
        return LabelledSet(files[0], files[0].name)

    def keep(self, source: Path, name: str) -> str:
        """Keep a set that was sent; its id stands for its bytes and its name. Raises `StorageFailed`."""
        digest = hashlib.sha256(name.encode(errors="replace"))
        try:
            with source.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            folder = self._folder / digest.hexdigest()
            folder.mkdir(parents=True, exist_ok=True)
            part = self._folder / f"{folder.name}.part"
            shutil.copyfile(source, part)
            os.replace(part, folder / _harmless(name))
        except OSError as error:
            raise StorageFailed(explain_failure(error, "labelled set")) from error
        return folder.name

    def remove(self, id: str) -> None:
        """Forget a set that was sent."""
        if id not in BUILT_IN and id.isalnum():
            shutil.rmtree(self._folder / id, ignore_errors=True)


def _harmless(name: str) -> str:
    """A file name that is nothing but a name."""
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "._- ") else "_" for one in name)
    return kept.replace("..", "_").lstrip(". ")[-100:] or "set"
