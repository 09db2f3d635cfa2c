"""A conversation about one picture: each question goes along with those before it and their answers."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from ..planning.parts import part_of
from ..schema import JSON, Media, Message, TextPart
from ..tasks import Task

TALKS = frozenset({Task.VISUAL_QUESTION_ANSWERING.value, Task.IMAGE_TEXT_TO_TEXT.value})
PAGES = 500
"""Pages whose conversation is remembered; who opens more, or comes back days later, begins anew."""
TURNS = 20
"""Turns that are remembered; a model may read fewer."""


@dataclass(frozen=True)
class Turn:
    question: str
    answer: str


class Talks:
    """What was asked of the picture that each page has open; another picture begins anew."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, tuple[str, tuple[Turn, ...]]] = OrderedDict()

    def about(self, page: str, picture: Media) -> tuple[Turn, ...]:
        """The turns on this picture so far."""
        id, turns = self._pages.get(page, ("", ()))
        return turns if id == picture.id else ()

    def add(self, page: str, picture: Media, turn: Turn) -> None:
        """Remember a question that has been answered."""
        self._pages[page] = picture.id, (*self.about(page, picture), turn)[-TURNS:]
        self._pages.move_to_end(page)
        if len(self._pages) > PAGES:
            self._pages.popitem(last=False)

    async def forget(self, request: gr.Request) -> None:
        """Begin anew, also with the same picture."""
        self._pages.pop(request.session_hash or "", None)


def asked(picture: Media, turns: Sequence[Turn], question: str) -> JSON:
    """The fields of a request that has the picture, what was said on it, and the question."""
    messages: list[Message] = []
    for turn in turns:
        messages.append(Message(role="user", content=turn.question))
        messages.append(Message(role="assistant", content=turn.answer))
    messages.append(Message(role="user", content=question))
    opening = (part_of(picture), TextPart(text=messages[0].text))
    return {"messages": (Message(role="user", content=opening), *messages[1:])}


def told(turns: Sequence[Turn], question: str) -> JSON:
    """The same for the view: the turns before, and what was asked now."""
    return {"turns": [vars(turn) for turn in turns], "prompt": question}
