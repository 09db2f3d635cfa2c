"""Answers about clips and sounds: what is said, what moves which way, where the cuts are, and when."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..events import Span
from ..media.acts import Act, acts_of, scenes_of
from ..media.motion import Track, timecode
from .acting import asked, by_scene, coloured, counted, earlier, sentence, verdict
from .book import Book
from .clip_questions import ClipQuestion
from .words import listed, several


@dataclass(frozen=True)
class Heard:
    """What is said in a sound or clip, sentence by sentence."""

    medium: str
    text: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Watched:
    """What was found in a clip; None where nothing looked for it, or there is none."""

    medium: str
    tracks: tuple[Track, ...] | None = None
    cuts: tuple[Span, ...] | None = None
    motion: tuple[str, float] | None = None
    heard: Heard | None = None
    silent: bool = False
    """There is no sound in the file at all."""
    seconds: float = 0.0
    """How long it is; 0 where nobody looked."""

    @property
    def scenes(self) -> tuple[tuple[float, float], ...]:
        """The scenes between the cuts, one where there is none."""
        last = max((float(track.times[-1]) for track in self.tracks or ()), default=0.0)
        return scenes_of([(cut.start_s, cut.end_s) for cut in self.cuts or ()], self.seconds or last)

    @property
    def acts(self) -> tuple[Act, ...]:
        """What every object that was followed does."""
        return acts_of(self.tracks or (), self.scenes)

    def in_scenes(self, acts: Sequence[Act]) -> tuple[Act, ...]:
        """The same objects, each scene for itself."""
        mine = {(act.track.id, act.track.label) for act in acts}
        every = acts_of(self.tracks or (), self.scenes, apart=True)
        return tuple(act for act in every if (act.track.id, act.track.label) in mine)


def about_clip(question: ClipQuestion, watched: Watched, book: Book) -> str:
    """What is known of a clip that the question asks for."""
    parts = []
    of_scenes = question.count and question.cuts and not question.thing.words
    if (question.moves or question.count or question.whole) and not of_scenes:
        parts.append(moves(question, watched, book))
    if of_scenes and watched.cuts is not None:
        parts.append(f"{_scenes(len(watched.scenes))}.")
    if question.cuts or (question.whole and watched.cuts and not question.part):
        parts.append(cuts(watched, book))
    if question.said or (question.whole and not (question.part or (question.scenes and watched.silent))):
        parts.append(said(watched, book))
    lines = any("\n" in part for part in parts)
    return ("\n" if lines else " ").join(part for part in parts if part)


def _scenes(number: int) -> str:
    return f"There {'is' if number == 1 else 'are'} {several(number, 'scene')}"


def said(watched: Watched, book: Book) -> str:
    """The words of a clip, each sentence with its moment."""
    if watched.silent:
        return "The clip has no sound."
    if watched.heard is None:
        return ""
    return words(watched.heard, book)


def words(heard: Heard, book: Book) -> str:
    """What is said, with its moments."""
    if not heard.text.strip():
        return "No words are to be heard."
    spans = heard.spans or (Span(start_s=0, end_s=0, text=heard.text.strip()),)
    quoted = [
        f"“{span.text.strip()}” "
        + book.cite("speech", heard.medium, span.text.strip(), start_s=span.start_s, end_s=span.end_s)
        for span in spans
    ]
    return f"What is said: {' '.join(quoted)}"


def moves(question: ClipQuestion, watched: Watched, book: Book) -> str:
    """Which objects do what, and when."""
    if watched.tracks is None:
        return _motion(watched)
    labels = sorted({track.label for track in watched.tracks})
    acts = [act for act in _of_part(question, watched) if question.thing.fits(act.track.label, labels)]
    if question.than.words:
        others = [act for act in watched.acts if question.than.fits(act.track.label, labels)]
        return earlier(acts, others, watched.medium, book) if acts and others else _nothing(question, watched)
    if question.whether:
        return verdict(question.thing, question.does, acts, watched.medium, book)
    if question.colour:
        doing = [act for act in acts if not question.does or question.does in act.does]
        return coloured(doing, watched.medium, book) or _nothing(question, watched)
    if question.does and not (question.thing.words and not question.count):
        acts = [act for act in acts if question.does in act.does]
    if question.count:
        verb = "appear" if not question.does else "move" if question.does == "moves" else "do"
        return counted(acts, question.thing, verb, watched.medium, book)
    if not acts:
        return _nothing(question, watched)
    if question.scenes or (question.whole and len(watched.scenes) > 1 and not question.part):
        return by_scene(watched.in_scenes(acts), watched.scenes, watched.medium, book)
    return sentence(acts, watched.medium, book)


def _of_part(question: ClipQuestion, watched: Watched) -> Sequence[Act]:
    """What happens in the part of the clip that is meant: of a scene those who do something."""
    if not question.part or question.than.words:
        return watched.acts
    number = 0 if question.part == "first" else len(watched.scenes) - 1
    mine = [act for act in watched.acts if act.scene == number]
    return [act for act in mine if act.does != frozenset({"still"})] or mine


def cuts(watched: Watched, book: Book) -> str:
    """Where one shot becomes the next."""
    if watched.cuts is None:
        return ""
    if not watched.cuts:
        return "There is no cut."
    told = []
    for kind in dict.fromkeys(cut.kind for cut in watched.cuts):
        mine = [cut for cut in watched.cuts if cut.kind == kind]
        moments = listed([f"{timecode(cut.start_s)} {_cut(cut, watched, book)}" for cut in mine])
        told.append(f"{'a ' + kind if len(mine) == 1 else several(len(mine), kind)} at {moments}")
    return f"There {'is' if told[0].startswith('a ') else 'are'} {listed(told)}."


def _cut(cut: Span, watched: Watched, book: Book) -> str:
    return book.cite("moment", watched.medium, cut.kind, start_s=cut.start_s, end_s=cut.end_s)


def _motion(watched: Watched) -> str:
    """What a classifier of whole clips says, where no object was followed."""
    if watched.motion is None:
        return ""
    label, score = watched.motion
    return f"The clip looks like “{label}” ({score:.0%})."


def _nothing(question: ClipQuestion, watched: Watched) -> str:
    does = f" {asked(question.does)}" if question.does else " was followed"
    if question.thing.words:
        return f"No {question.thing.name} was followed."
    return f"Nothing{does}." + (f" {_motion(watched)}" if watched.motion else "")
