"""Speech recognition: a recording of any length in stretches that a model can hear, its text as it comes."""

from abc import abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Literal, NamedTuple

from pydantic import Field

from ..errors import UnsupportedTask
from ..events import Event, Finished, Progress, Receipt, Span, TextDelta, Usage
from ..media import TAKEN, Recording, listening
from ..schema import Request
from .base import Runner
from .loading import explained
from .multimodal import AboutOptions
from .stretches import Joiner, Stretch, stretches

LONGEST_WINDOW = 30.0
SHORT_WINDOW = 15.0
"""Models that hear less at once were taught one sentence at a time."""


class SpeechOptions(AboutOptions):
    """How speech is written down."""

    max_tokens: int = Field(448, ge=1, le=32768, description="Longest text of one stretch, in tokens.")
    n: int = Field(1, ge=1, le=1, description="One text.")
    language: str | None = Field(
        None, max_length=40, description="The language spoken, as `en` or `english`; unset: found out."
    )
    translate: bool = Field(False, description="Write it in English, where the model can translate.")
    timestamps: Literal["segment", "word"] = Field(
        "segment", description="Whether sentences or single words are told with their seconds."
    )


class Written(NamedTuple):
    """What one stretch says, and when; `tokens` it took."""

    text: str
    spans: tuple[Span, ...]
    tokens: int = 0


@dataclass
class Hearing:
    """One request on its way through its recordings."""

    request: Request
    options: SpeechOptions
    stop: Flag
    joiner: Joiner
    language: str | None = None
    tokens: int = 0
    notes: list[str] = field(default_factory=list)


class SpeechRunner(Runner):
    """A model that hears a window of sound at once; longer recordings come to it in stretches."""

    between = ""
    """What stands between the texts of two stretches."""
    window = LONGEST_WINDOW
    """Seconds heard at once."""
    rate = 16_000

    def load(self) -> None:
        with explained(self.checkpoint, "a model for speech"):
            self._load()

    @abstractmethod
    def _load(self) -> None: ...

    @abstractmethod
    def _begin(self, task: Hearing) -> None:
        """Look at what is asked; raises `UnsupportedTask` or `InvalidRequest` for what cannot be done."""

    @abstractmethod
    def _write(self, stretch: Stretch, task: Hearing) -> Generator[Event, None, Written]:
        """Write down a stretch; its text in `TextDelta`s as it grows, then as a whole."""

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options = request.options
        assert isinstance(options, SpeechOptions)
        task = Hearing(request, options, stop, Joiner(self.between), options.language)
        self._begin(task)
        for medium in request.media:
            if medium.kind == "image":
                raise UnsupportedTask(f"{self.checkpoint.name} takes sounds, no pictures.")
            with listening(medium.path, self.rate, TAKEN) as recording:
                yield from self._listen(recording, task)
                if (note := recording.note) and not stop.is_set():
                    task.notes.append(note)
        if rest := task.joiner.flush():
            yield TextDelta(text=rest)
        yield Finished(
            finish_reasons=("cancelled" if stop.is_set() else "stop",),
            usage=Usage(completion_tokens=task.tokens),
            notes=tuple(task.notes),
            receipt=Receipt(model=self.checkpoint.name, seed=options.seed),
        )

    def _listen(self, recording: Recording, task: Hearing) -> Iterator[Event]:
        yield _progress(recording, 0.0)
        breaths = self.window < SHORT_WINDOW
        for found in stretches(recording.blocks(), self.rate, self.window, breaths):
            if task.stop.is_set():
                return
            if isinstance(found, Stretch):
                yield from self._hear(found, task)
            else:
                yield _progress(recording, found)

    def _hear(self, stretch: Stretch, task: Hearing) -> Iterator[Event]:
        """Tell what a stretch says: while it is written, or once it is joined with its neighbour."""
        streams = task.joiner.streams and not stretch.cut
        writing, first, written = self._write(stretch, task), True, Written("", ())
        while True:
            try:
                event = next(writing)
            except StopIteration as end:
                written = end.value
                break
            if not isinstance(event, TextDelta):
                yield event
            elif streams and event.text:
                text = task.joiner.lead(event.text) if first else task.joiner.follow(event.text)
                first = first and not text
                yield event.model_copy(update={"text": text})
        task.tokens += written.tokens
        if not streams and (text := task.joiner.whole(written.text, stretch.cut)):
            yield TextDelta(text=text)
        yield from written.spans


def spread(words: Sequence[str], start: float, end: float) -> tuple[Span, ...]:
    """Words over a stretch of time by their length, where the model does not tell when each was said."""
    total = sum(len(word) + 1 for word in words) or 1
    found, at = [], 0
    for word in words:
        until = at + len(word) + 1
        found.append(
            Span(
                start_s=round(start + (end - start) * at / total, 2),
                end_s=round(start + (end - start) * until / total, 2),
                text=word,
            )
        )
        at = until
    return tuple(found)


def span(stretch: Stretch, start: float, end: float, text: str) -> Span:
    """Seconds of a stretch as seconds of the recording."""
    return Span(
        start_s=round(stretch.start_s + start, 2),
        end_s=round(min(stretch.start_s + end, stretch.end_s), 2),
        text=text,
    )


def whole(stretch: Stretch, text: str) -> tuple[Span, ...]:
    """A stretch as one span, where something is said in it."""
    start, end = stretch.voiced
    return (Span(start_s=start, end_s=end, text=text.strip()),) if text.strip() else ()


def _progress(recording: Recording, second: float) -> Progress:
    total = recording.seconds
    return Progress(
        phase="working",
        fraction=min(1.0, second / total) if total else None,
        done=int(second),
        total=round(total) if total else None,
        unit="s",
    )
