"""Answers from what was found: nothing more is claimed, and each claim names its place."""

import numpy as np
import pytest

from inference_chat.events import Box, Span
from inference_chat.media.motion import Track
from inference_chat.planning.book import Book
from inference_chat.planning.clip_questions import ClipQuestion, read_clip
from inference_chat.planning.clips import Heard, Watched, about_clip
from inference_chat.planning.pictures import Pictures, Seen, answer
from inference_chat.planning.questions import read
from inference_chat.planning.words import Vocabulary

LABELS = ("red circle", "blue circle", "green square", "red star")


def seen(label: str, x: float, y: float, size: float = 10, picture: int = 0) -> Seen:
    return Seen(label, 0.9, Box(xmin=x, ymin=y, xmax=x + size, ymax=y + size), picture, f"media:{picture}")


SCENE = Pictures(
    (seen("red circle", 5, 5), seen("red circle", 80, 45), seen("green square", 45, 80, 19)),
    ((100, 100),),
    LABELS,
)
TWO = Pictures(
    (seen("red circle", 5, 5), seen("red star", 40, 40), seen("red circle", 5, 5, picture=1)),
    ((100, 100), (100, 100)),
    LABELS,
)


def said(text: str, pictures: Pictures = SCENE) -> tuple[str, Book]:
    book = Book()
    question = read(text, Vocabulary(LABELS), len(pictures.sizes))
    assert question is not None
    return answer(question, pictures, book), book


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("how many red circles are there?", "There are 2 red circles [1][2]."),
        ("how many blue circles are there?", "0: the detector found no blue circles."),
        ("how many red things are there?", "There are 2 red things [1][2]."),
        ("is there a green square?", "Yes, there is a green square at the bottom [1]."),
        ("is there a blue circle?", "No, the detector found no blue circles."),
        ("what color is the square?", "The square is green [1]."),
        ("where is the green square?", "The green square is at the bottom [1]."),
        ("how big is the green square?", "The green square covers 4% of the picture [1]."),
        ("what is the largest?", "The largest is the green square [1]: it covers 4% of the picture."),
        ("what is below the green square?", "Nothing is below the green square [1]."),
        ("is the green square below a red circle?", "Yes, the green square [1] is below the red circle [2]."),
        (
            "is a red circle below the green square?",
            "No, the red circle [1] is not below the green square [2].",
        ),
    ],
)
def test_what_is_told_of_a_picture(text: str, told: str):
    assert said(text)[0] == told


def test_sources_are_the_regions_and_keep_their_numbers():
    _, book = said("how many red circles are there?")
    assert [(one.number, one.kind, one.text, one.medium) for one in book.sources] == [
        (1, "region", "red circle", "media:0"),
        (2, "region", "red circle", "media:0"),
    ]
    assert book.sources[0].box == SCENE.seen[0].box


def test_two_pictures_are_compared_by_what_they_show():
    text, _ = said("compare the two pictures", TWO)
    assert text == "Both pictures show a red circle. Only the first shows a red star [1]."
    assert said("which picture has more stars?", TWO)[0] == (
        "The first picture shows more stars: 1 in the first [1] and 0 in the second."
    )
    same = Pictures((TWO.seen[0], TWO.seen[2]), TWO.sizes, LABELS)
    assert said("compare the two pictures", same)[0].endswith("found no difference in what they show.")


def track(id: int, label: str, to: float) -> Track:
    times = np.linspace(0, 2, 9)
    left = np.linspace(50, to, 9)
    return Track(id, label, times, np.stack([left, left * 0 + 20, left + 10, left * 0 + 30], axis=1))


CLIP = Watched(
    "media:c",
    tracks=(track(1, "red star", 10), track(2, "blue circle", 50)),
    cuts=(Span(start_s=1.5, end_s=1.5, kind="cut"),),
    heard=Heard("media:c", "Hello there.", (Span(start_s=0.2, end_s=1.1, text="Hello there."),)),
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("what is said?", "What is said: “Hello there.” [1]"),
        ("what moves to the left?", "The red star moves to the left from 0:00.0 to 0:02.0 [1]."),
        ("what moves to the right?", "Nothing moves to the right."),
        ("how does the blue circle move?", "The blue circle stays where it is from 0:00.0 to 0:02.0 [1]."),
        ("how many things move?", "1 object moves [1]."),
        ("where are the cuts?", "There is a cut at 0:01.5 [1]."),
    ],
)
def test_what_is_told_of_a_clip(text: str, told: str):
    asked = read_clip(text, Vocabulary(LABELS))
    assert asked is not None
    assert about_clip(asked, CLIP, Book()) == told


SCENES = Watched(
    "media:c",
    tracks=(
        track(1, "red star", 10),
        track(2, "blue circle", 50),
        Track(3, "green ring", np.linspace(2.1, 4, 9), track(3, "", 120).boxes),
        Track(4, "pink heart", np.linspace(3, 4, 9), track(4, "", 50).boxes + 60),
    ),
    cuts=(Span(start_s=2.05, end_s=2.05, kind="cut"),),
    silent=True,
    seconds=4.1,
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Summarise the clip with times.",
            "0:00.0–0:02.0: the red star moves to the left [1] and the blue circle stays where it is [2].\n"
            "0:02.0–0:04.1: the green ring moves to the right [3] and the pink heart appears at 0:03.0 [4].\n"
            "There is a cut at 0:02.0 [5].",
        ),
        ("what happens first?", "The red star moves to the left from 0:00.0 to 0:02.0 [1]."),
        (
            "what happens at the end?",
            "The green ring moves to the right from 0:02.1 to 0:04.0 [1] "
            "and the pink heart appears at 0:03.0 [2].",
        ),
        ("what appears?", "The pink heart appears at 0:03.0 [1]."),
        ("does anything grow?", "Nothing grows."),
        (
            "does the red star move to the left?",
            "Yes: the red star moves to the left from 0:00.0 to 0:02.0 [1].",
        ),
        ("does the red star grow?", "No: the red star moves to the left from 0:00.0 to 0:02.0 [1]."),
        ("is there a pink heart?", "Yes: the pink heart appears at 0:03.0 [1]."),
        ("is there a red heart?", "No: no red heart was followed."),
        (
            "what comes first, the green ring or the red star?",
            "The red star comes first: the red star comes at 0:00.0 [1] "
            "and the green ring comes at 0:02.1 [2].",
        ),
        ("how many scenes are there?", "There are 2 scenes. There is a cut at 0:02.0 [1]."),
        ("what colour is the heart?", "The heart is pink [1]."),
        ("can you say when the pink heart shows up?", "The pink heart appears at 0:03.0 [1]."),
    ],
)  # fmt: skip
def test_what_happens_in_a_clip_of_two_scenes(text: str, told: str):
    asked = read_clip(text, Vocabulary((*LABELS, "green ring", "pink heart", "red heart")))
    assert asked is not None
    assert about_clip(asked, SCENES, Book()) == told


def test_a_clip_without_sound_says_so():
    silent = Watched("media:c", tracks=(), cuts=(), silent=True)
    assert about_clip(ClipQuestion(said=True), silent, Book()) == "The clip has no sound."
    assert about_clip(ClipQuestion(), silent, Book()) == "Nothing was followed. The clip has no sound."


def test_cuts_and_fades_are_told_apart():
    changes = [Span(start_s=at, end_s=at, kind=kind) for at, kind in ((1, "cut"), (2, "fade"), (4, "fade"))]
    asked = read_clip("where are the cuts?", Vocabulary(LABELS))
    assert asked is not None
    said = about_clip(asked, Watched("media:c", tracks=(), cuts=tuple(changes)), Book())
    assert said == "There is a cut at 0:01.0 [1] and 2 fades at 0:02.0 [2] and 0:04.0 [3]."
