"""Requests for `auto`: one model where it understands everything, else several, step by step.

Which steps there are follows from the parts of the message and the words of the question alone, so the same
message with the same models makes the same plan.
"""

import asyncio
import re

from ..engine import Emit, Engine
from ..errors import InvalidRequest
from ..events import Finished, FinishReason, Receipt, Timing
from ..jobs import Job
from ..media import MediaStore
from ..models.models import Models
from ..outputs import output_of
from ..registry.registry import ModelRecord
from ..registry.senses import AUTO
from ..schema import JSON, Request
from ..tasks import Task
from .book import Book
from .clip_questions import SAID
from .clips import Heard, words
from .drawing import wished
from .looking import Looking
from .parts import Parts, files, parts_of, worded
from .scenes import Scenes, captioned
from .steps import Steps, Stopped, named

MOST_FILES = 16
MARK = re.compile(r"\s*\[\d+\]")
"""How an answer names its sources, which is not said aloud."""
POINTS = re.compile(
    r"\b(?:this|that|these|those|the|my)\s+(picture|image|photo|clip|video)s?\b(?! (?:tab|of)\b)"
)
"""Words that point at something to look at."""
HEARD_BEFORE = 6
"""Sounds of earlier messages that are listened to again; what was heard then is still in the cache."""


class Planner:
    """Runs requests; those for `auto` and scenes with captions in steps, all others as they are."""

    def __init__(self, engine: Engine, models: Models, media: MediaStore) -> None:
        self._scenes = Scenes(self._uncaptioned, models, media)
        self._engine = engine
        self._models = models

    async def run(self, request: Request, emit: Emit, job: Job) -> None:
        """Answer a request; `emit` gets its events, `Finished` last. Raises as `Engine.run` does."""
        if captioned(request):
            await self._scenes.run(request, emit, job)
        else:
            await self._uncaptioned(request, emit, job)

    async def _uncaptioned(self, request: Request, emit: Emit, job: Job) -> None:
        if request.model != AUTO.id:
            await self._engine.run(request, emit, job)
            return
        steps = Steps(self._engine, self._models, request, emit, job)
        book = Book()
        try:
            await _Plan(steps, parts_of(request), book).told()
            reasons: tuple[FinishReason, ...] = steps.reasons
        except Stopped:
            reasons = ("cancelled",)
        emit(self._end(steps, book, job, reasons))

    def _end(self, steps: Steps, book: Book, job: Job, reasons: tuple[FinishReason, ...]) -> Finished:
        now = asyncio.get_running_loop().time()
        first = (steps.first - job.created) * 1000 if steps.first else None
        return Finished(
            finish_reasons=reasons,
            usage=steps.usage,
            timing=Timing(
                first_token_ms=round(first, 3) if first else None,
                compute_ms=round(steps.compute_ms, 3),
                decode_ms=round((now - steps.first) * 1000, 3) if steps.first else 0.0,
                total_ms=round((now - job.created) * 1000, 3),
            ),
            receipt=Receipt(model=AUTO.id, plan=tuple(steps.told), sources=tuple(book.sources)),
            notes=tuple(steps.notes),
        )


class _Plan:
    """One message and what is done about it."""

    def __init__(self, steps: Steps, parts: Parts, book: Book) -> None:
        self._steps, self._parts, self._book = steps, parts, book
        self._looking = Looking(steps, parts, book)
        self._heard: dict[str, Heard] = {}

    async def told(self) -> None:
        """The answer, and where it is wanted aloud, its sound."""
        options = self._steps.request.options
        if not getattr(options, "speak", False):
            return await self.answer()
        speaker = self._steps.need(Task.TEXT_TO_SPEECH, "Reading the answer aloud")
        await self.answer()
        if self._steps.said or not any(letter.isalnum() for letter in self._steps.text):
            return None
        voice = str(getattr(options, "voice", None) or "")
        given = {"voice": int(voice)} if voice.isdecimal() else {}
        words = MARK.sub("", self._steps.text).strip()
        await self._steps.do(Task.TEXT_TO_SPEECH, speaker, "the answer", output_of, prompt=words, given=given)
        return None

    async def answer(self) -> None:
        """Take the steps, and tell the answer."""
        parts = self._parts
        if len(parts.own) > MOST_FILES:
            raise InvalidRequest(
                f"One message takes at most {MOST_FILES} files; this one has {len(parts.own)}."
            )
        if not parts.own and not parts.text:
            raise InvalidRequest("The message is empty: write, say or attach something.")
        if parts.earlier and await self._by_one():
            return
        for sound in parts.of("audio"):
            self._heard[sound.url] = await self._looking.hear(sound, named(parts.own, sound))
        spoken = " ".join(heard.text for heard in self._heard.values()).strip()
        question = parts.text or spoken
        if parts.of("video") or parts.of("image"):
            await self._look(question)
        elif (wish := wished(question)) and (found := self._steps.who(Task.TEXT_TO_IMAGE)):
            await self._draw(wish, *found)
        elif parts.own:
            await self._listen(question)
        elif not await self._again(question):
            await self._talk()

    async def _by_one(self) -> bool:
        """Whether a single model that hears understands everything, and has answered."""
        kinds = {one.kind for one in self._steps.request.media}
        record = self._steps.one(kinds) if "audio" in kinds else None
        if record is None:
            return False
        await self._steps.do(
            Task.ANY_TO_ANY,
            record,
            "everything",
            output_of,
            media=self._steps.request.media,
            messages=self._parts.turns,
            given=self._steps.given(Task.ANY_TO_ANY),
            writes=True,
        )
        return True

    async def _look(self, question: str) -> None:
        if self._heard and not question:
            self._steps.note("No words were heard in the sound, so this is about what is to be seen.")
        told = []
        if self._parts.text and SAID.search(question.lower()):
            told += [words(heard, self._book) for heard in self._heard.values()]
        told += [await self._looking.clip(question, clip) for clip in self._parts.of("video")]
        if pictures := self._parts.of("image"):
            told.append(await self._looking.pictures(question, pictures))
        self._say(*told)

    async def _draw(self, wish: str, task: Task, record: ModelRecord) -> None:
        given = self._steps.given(task) | {"preview": False}
        await self._steps.do(task, record, wish, output_of, prompt=wish, given=given)
        self._say(f"Here is the picture: {wish}.")

    async def _listen(self, question: str) -> None:
        """Sounds alone: what is asked about them in writing, or what they say."""
        if self._parts.text and SAID.search(question.lower()):
            self._say(*(words(heard, self._book) for heard in self._heard.values()))
        elif not question:
            await self._what_sounds()
        else:
            await self._talk()

    async def _what_sounds(self) -> None:
        """Nothing is said: what it sounds like."""
        found = self._steps.who(Task.AUDIO_CLASSIFICATION)
        if found is None:
            self._say("I hear no words. Say it again, nearer to the microphone, or write it.")
            return
        told = []
        for sound in self._parts.of("audio"):
            result = await self._steps.do(*found, named(self._parts.own, sound), output_of, media=[sound])
            best = output_of(
                self._steps.request.model_copy(update={"task": found[0], "media": (sound,)}), result
            )
            first: JSON = best[0] if isinstance(best, list) and best else {}
            what = f"“{first.get('label', 'nothing')}” ({first.get('score', 0):.0%})"
            told.append(f"I hear no words; it sounds like {what}.")
        self._say(*told)

    async def _again(self, question: str) -> bool:
        """A question about what was sent before; whether it was one, and is answered."""
        clips = [one for one in self._parts.earlier if one.kind == "video"]
        pictures = [one for one in self._parts.earlier if one.kind == "image"]
        about = await self._looking.about(question, pictures, clips)
        if about == "clip":
            self._say(*[await self._looking.clip(question, clip) for clip in clips])
        elif about == "picture":
            self._say(await self._looking.pictures(question, pictures))
        return bool(about)

    async def _talk(self) -> None:
        """Words alone, those that were heard among them: a matter for the model that chats."""
        record = self._steps.need(Task.TEXT_GENERATION, "A message")
        if not self._parts.earlier and (missed := POINTS.search(self._parts.text.lower())):
            self._steps.note(f"No {missed[1]} was sent to look at: send one with the question.")
        await self._hear_before()
        told = [worded(turn, self._word) for turn in self._parts.turns]
        await self._steps.do(
            Task.TEXT_GENERATION,
            record,
            "the conversation",
            output_of,
            messages=[turn for turn in told if turn.text],
            given=self._steps.given(Task.TEXT_GENERATION),
            writes=True,
        )

    async def _hear_before(self) -> None:
        """What was said in earlier messages, which count as words now."""
        sounds = [
            one
            for turn in self._parts.turns[:-1]
            for one in files(turn, self._steps.request)
            if one.kind == "audio"
        ]
        for sound in sounds[-HEARD_BEFORE:]:
            if sound.url not in self._heard:
                self._heard[sound.url] = await self._looking.hear(sound, "an earlier sound")

    def _word(self, url: str) -> str:
        heard = self._heard.get(url)
        return heard.text if heard else ""

    def _say(self, *told: str) -> None:
        """The answer, where no model has written it while it came."""
        text = " ".join(part.strip() for part in told if part.strip())
        if text:
            self._steps.write(text if not self._steps.first else f" {text}")
