"""Steps that look: what a question about pictures or clips needs, who does it, and what it says."""

import asyncio
import re
from collections.abc import Sequence
from typing import Literal, NoReturn

from ..errors import ModelNotFound
from ..events import Footage, Labels, Result, Span
from ..media import has_sound, length_of, open_image
from ..media.acts import named_by_scene
from ..media.motion import direction, tracks_of
from ..outputs import output_of
from ..registry.registry import ModelRecord
from ..schema import JSON, Media, Message, Request
from ..tasks import Task
from .book import Book
from .clip_questions import ClipQuestion, read_clip
from .clips import Heard, Watched, about_clip
from .parts import Parts, files, said
from .pictures import Pictures, Seen, answer, cite
from .questions import Question, read
from .steps import Steps, named
from .words import Vocabulary, listed

ASKS = (Task.IMAGE_TEXT_TO_TEXT, Task.VISUAL_QUESTION_ANSWERING)
FOLLOWED_FPS, MOST_FPS, FOLLOWED = 8.0, 60.0, 96
"""Frames of a clip that are looked at each second, more of a short one until there are so many: what moves is
found, and long clips take not too long."""


class Looking:
    """What is asked about the pictures and clips of one message."""

    def __init__(self, steps: Steps, parts: Parts, book: Book) -> None:
        self._steps, self._parts, self._book = steps, parts, book

    async def pictures(self, question: str, media: Sequence[Media]) -> str:
        """The answer about pictures; empty where a model has written it already.

        What a detector's findings answer is answered by them, with their regions; all else by a model that
        sees, where there is one.
        """
        detector = self._steps.who(Task.OBJECT_DETECTION)
        labels = await self._steps.labels(detector[1]) if detector else ()
        vocabulary = Vocabulary(labels)
        asked = read(question, vocabulary, len(media)) if detector else None
        seer = self._steps.who(*ASKS)
        if seer and (asked is None or asked.asks == "describe"):
            text = await self._seen(seer[0], seer[1], question, media)
            if detector:
                found = await self._found(detector[1], media, labels)
                return self._evidence(text, found, vocabulary)
            return ""
        if detector is None:
            return await self._classified(media)
        found = await self._found(detector[1], media, labels)
        return answer(asked or self._loosely(question, vocabulary, len(media)), found, self._book)

    async def clip(self, question: str, clip: Media) -> str:
        """The answer about a clip; empty where a model has written it already."""
        tracker = self._steps.who(Task.OBJECT_TRACKING)
        labels = await self._steps.labels(tracker[1]) if tracker else ()
        asked = read_clip(question, Vocabulary(labels))
        if asked is None and (seer := self._steps.who(Task.VIDEO_TEXT_TO_TEXT)):
            await self._seen(seer[0], seer[1], question, [clip])
            return ""
        if asked is None:
            asked = read_clip(question, Vocabulary(labels), strict=False) or ClipQuestion()
            self._steps.note(f"Nobody here answers “{question}” about a clip; this is what was found in it.")
        watched = await self._watched(asked, clip)
        return about_clip(asked, watched, self._book) or self._nobody("clips", Task.OBJECT_TRACKING)

    async def hear(self, sound: Media, what: str) -> Heard:
        """What is said in a sound, or in the sound track of a clip."""
        record = self._steps.need(Task.AUTOMATIC_SPEECH_RECOGNITION, what.capitalize())
        as_sound = sound.model_copy(update={"kind": "audio"})
        result = await self._steps.do(
            Task.AUTOMATIC_SPEECH_RECOGNITION, record, what, output_of, media=[as_sound]
        )
        spans = tuple(one for one in result.outcomes if isinstance(one, Span))
        return Heard(sound.url, result.text.strip(), spans)

    async def about(
        self, question: str, pictures: Sequence[Media], clips: Sequence[Media]
    ) -> Literal["clip", "picture", ""]:
        """Which of the files that came before a question without any is about."""
        tracker = self._steps.who(Task.OBJECT_TRACKING, Task.OBJECT_DETECTION)
        vocabulary = Vocabulary(await self._steps.labels(tracker[1]) if tracker else ())
        named_so = re.search(r"\b(clips?|videos?|happen\w*)\b", question.lower())
        if clips and (of_clip := read_clip(question, vocabulary)) and (named_so or not of_clip.whole):
            return "clip"
        meant = re.search(r"\b(pictures?|images?|photos?|scenes?)\b", question.lower())
        if pictures and meant and self._steps.who(*ASKS):
            return "picture"
        of_picture = read(question, vocabulary, len(pictures)) if pictures else None
        return "picture" if of_picture and (of_picture.asks != "describe" or meant) else ""

    async def _seen(self, task: Task, record: ModelRecord, question: str, media: Sequence[Media]) -> str:
        """What a model that sees says, as it says it; it is told the conversation since those files came."""
        steps, turns = self._steps, self._parts.turns
        kind = named(self._parts.earlier, media[0]).split()[0]
        question = question or f"Describe this {kind}."
        what = f"{listed([named(self._parts.earlier, one) for one in media])}: {question}"
        if task == Task.VISUAL_QUESTION_ANSWERING:
            if len(media) > 1:
                steps.note(f"{record.id} looks at one picture at a time; it was asked about the first.")
            one = media[:1]
            result = await steps.do(task, record, what, output_of, media=one, prompt=question, writes=True)
            return result.text
        own = self._parts.since == len(turns) - 1
        before = [] if own else [_unheard(turn) for turn in turns[self._parts.since : -1]]
        told = [*(turn for turn in before if turn.content), said(question, media if own else ())]
        sent = dict.fromkeys(one for turn in told for one in files(turn, steps.request))
        given = steps.given(task)
        result = await steps.do(
            task, record, what, output_of, media=tuple(sent), messages=told, given=given, writes=True
        )
        return result.text

    async def _found(self, record: ModelRecord, media: Sequence[Media], labels: Sequence[str]) -> Pictures:
        """The objects in pictures, and how large those are."""
        what = listed([named(self._parts.earlier, one) for one in media])
        result = await self._steps.do(Task.OBJECT_DETECTION, record, what, output_of, media=media)
        sizes = [await asyncio.to_thread(_size, one) for one in media]
        seen = [
            Seen(item.label, item.score or 0.0, item.box, event.index, media[event.index].url)
            for event in result.outcomes
            if isinstance(event, Labels)
            for item in event.items
            if item.box is not None
        ]
        return Pictures(tuple(seen), tuple(sizes), tuple(labels))

    async def _classified(self, media: Sequence[Media]) -> str:
        record = self._steps.who(Task.IMAGE_CLASSIFICATION)
        if record is None:
            return self._nobody("pictures", Task.IMAGE_TEXT_TO_TEXT)
        what = listed([named(self._parts.earlier, one) for one in media])
        result = await self._steps.do(Task.IMAGE_CLASSIFICATION, record[1], what, output_of, media=media)
        self._steps.note("No model here finds objects or answers questions; this is how one classifies it.")
        best = [event.items[0] for event in result.outcomes if isinstance(event, Labels) and event.items]
        return " ".join(f"It looks like “{item.label}” ({item.score or 0:.0%})." for item in best)

    async def _watched(self, asked: ClipQuestion, clip: Media) -> Watched:
        what, steps = named(self._parts.earlier, clip), self._steps
        watched = Watched(clip.url)
        changes: JSON = {}
        seen: list[Labels] = []
        if asked.whole or asked.moves or asked.count:
            if found := steps.who(Task.OBJECT_TRACKING):
                seconds = await asyncio.to_thread(length_of, clip.path)
                changes["seconds"] = seconds
                options = {"fps": min(max(FOLLOWED_FPS, FOLLOWED / max(seconds, 0.1)), MOST_FPS)}
                result = await steps.do(*found, what, _followed, media=[clip], given=options)
                seen = [one for one in result.outcomes if isinstance(one, Labels)]
                changes["tracks"] = tuple(tracks_of(seen))
            if not changes.get("tracks") and (found := steps.who(Task.VIDEO_CLASSIFICATION)):
                changes["motion"] = _best(await steps.do(*found, what, _top, media=[clip]))
        if (asked.whole or asked.moves or asked.cuts or asked.part) and (
            found := steps.who(Task.SCENE_DETECTION)
        ):
            given = {"key_frames": False}
            result = await steps.do(*found, what, output_of, media=[clip], given=given)
            changes["cuts"] = tuple(
                one for one in result.outcomes if isinstance(one, Span) and one.kind in ("cut", "fade")
            )
        watched = Watched(**{**vars(watched), **changes})
        if watched.tracks and watched.cuts:
            changes["tracks"] = named_by_scene(seen, watched.scenes)
        if asked.whole or asked.said:
            changes |= await self._sound_of(clip, f"the sound of {what}", needed=asked.said)
        return Watched(**{**vars(watched), **changes})

    async def _sound_of(self, clip: Media, what: str, *, needed: bool) -> JSON:
        if not await asyncio.to_thread(has_sound, clip.path):
            return {"silent": True}
        if not needed and self._steps.who(Task.AUTOMATIC_SPEECH_RECOGNITION) is None:
            self._steps.note("No model here writes down what is said in the clip.")
            return {}
        return {"heard": await self.hear(clip, what)}

    def _loosely(self, question: str, vocabulary: Vocabulary, pictures: int) -> Question:
        """The question as far as it is understood, else everything that was found; either is said."""
        asked = read(question, vocabulary, pictures, strict=False)
        self._steps.note(
            f"No model here answers any question about a picture; to “{question}” "
            "this is what the detector found."
        )
        return asked or Question("compare" if pictures > 1 else "describe")

    def _evidence(self, text: str, found: Pictures, vocabulary: Vocabulary) -> str:
        """The regions of what a model has named."""
        tokens, _ = vocabulary.tokens(text)
        things = [thing for thing in vocabulary.things(tokens) if thing.words]
        shown = [one for one in found.seen if any(one in found.of(thing) for thing in things)]
        return "".join(f" {cite(one, self._book)}" for one in shown)

    def _nobody(self, kind: str, task: Task) -> NoReturn:
        raise ModelNotFound(f"No model here looks at {kind}: register one for {task}.")


def _unheard(message: Message) -> Message:
    """The message without its sounds, for a model that has no ears."""
    if isinstance(message.content, str):
        return message
    kept = tuple(part for part in message.content if part.type != "input_audio")
    return message.model_copy(update={"content": kept})


def _size(picture: Media) -> tuple[int, int]:
    return open_image(picture.read()).size


def _followed(_: Request, result: Result) -> JSON:
    """Tracks without their frames."""
    footage = next((one for one in result.outcomes if isinstance(one, Footage)), None)
    tracks = tracks_of(one for one in result.outcomes if isinstance(one, Labels))
    return {
        "seconds": footage.seconds if footage else None,
        "tracks": [
            {
                "id": track.id,
                "label": track.label,
                "direction": direction(track),
                "enter_s": round(float(track.times[0]), 3),
                "leave_s": round(float(track.times[-1]), 3),
            }
            for track in tracks
        ],
    }


def _best(result: Result) -> tuple[str, float] | None:
    items = [item for one in result.outcomes if isinstance(one, Labels) for item in one.items]
    return (items[0].label, items[0].score or 0.0) if items else None


def _top(request: Request, result: Result) -> object:
    found = output_of(request, result)
    return found[:3] if isinstance(found, list) else found
