"""What questions ask for, read by their words."""

import random

import pytest

from examples.train_starters.questions import COLORS, SHAPES, ask, random_slots
from inference_chat.planning.clip_questions import read_clip
from inference_chat.planning.questions import read
from inference_chat.planning.words import Vocabulary, a, listed, plural, several

SHAPES_WORLD = Vocabulary([f"{color} {shape}" for color in COLORS for shape in SHAPES])
STREET = Vocabulary(["person", "car", "bus", "teddy bear", "bear", "traffic light", "knife"])


@pytest.mark.parametrize(
    ("text", "asks", "words"),
    [
        ("How many red circles are there?", "count", ("red", "circle")),
        ("count all crosses", "count", ("cross",)),
        ("Is there a green square?", "exist", ("green", "square")),
        ("what colour is the triangle?", "color", ("triangle",)),
        ("what shape is the green thing?", "which", ("green",)),
        ("Where is the yellow heart?", "where", ("yellow", "heart")),
        ("how big is the purple hexagon?", "size", ("purple", "hexagon")),
        ("which one is the largest?", "extreme", ()),
        ("What's in the picture?", "describe", ()),
        ("", "describe", ()),
    ],
)
def test_what_a_question_asks_for(text: str, asks: str, words: tuple[str, ...]):
    question = read(text, SHAPES_WORLD)
    assert question is not None
    assert (question.asks, question.thing.words) == (asks, words)


@pytest.mark.parametrize(
    "text", ["write a poem about it", "is the circle happy?", "what is behind it?", "hello"]
)
def test_what_a_detector_cannot_answer_is_left_to_others(text: str):
    assert read(text, SHAPES_WORLD) is None


def test_misheard_names_are_taken_for_the_nearest_that_is_known():
    question = read("how many bread sircles are there", SHAPES_WORLD)
    assert question is not None
    assert question.thing.words == ("red", "circle")


def test_a_loose_reader_leaves_out_what_it_does_not_know():
    assert read("how many red circles are dare", SHAPES_WORLD) is None
    question = read("how many red circles are dare", SHAPES_WORLD, strict=False)
    assert question is not None
    assert question.asks == "count"


def test_colours_that_a_detector_does_not_tell_are_not_dropped_from_the_question():
    assert read("how many crimson cars are there?", STREET) is None
    question = read("how many people are there?", STREET)
    assert question is not None
    assert question.thing.fits("person", STREET.labels)


def test_a_label_that_is_named_in_full_means_no_longer_one():
    question = read("how many bears are there?", STREET)
    assert question is not None
    assert [label for label in STREET.labels if question.thing.fits(label, STREET.labels)] == ["bear"]


def test_relations_name_both_things_and_which_side():
    question = read("is the red circle left of the blue star?", SHAPES_WORLD)
    assert question is not None
    assert (question.asks, question.thing.name, question.other.name) == ("check", "red circle", "blue star")
    assert question.way == "left"
    other = read("what is below the star?", SHAPES_WORLD)
    assert other is not None
    assert (other.asks, other.way) == ("relation", "below")


def test_two_pictures_are_compared_or_counted():
    compared, more = (
        read(text, SHAPES_WORLD, 2) for text in ("spot the difference", "which picture has more stars?")
    )
    assert compared is not None
    assert more is not None
    assert (compared.asks, more.asks) == ("compare", "more")


@pytest.mark.parametrize("kind", ["count", "color", "where", "relation", "check", "biggest"])
def test_wordings_of_people_are_understood(kind: str):
    rng = random.Random(kind)
    texts = [ask(rng, kind, rng.choice(("train", "test")), **random_slots(rng)) for _ in range(40)]
    assert [text for text in texts if read(text, SHAPES_WORLD) is None] == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("what is said?", {"said"}),
        ("what moves to the left?", {"moves"}),
        ("what is said, what moves, and when are the cuts?", {"said", "moves", "cuts"}),
        ("how many things move?", {"moves", "count"}),
        ("what happens?", {"whole"}),
    ],
)
def test_what_a_question_about_a_clip_asks_for(text: str, parts: set[str]):
    asked = read_clip(text, SHAPES_WORLD)
    assert asked is not None
    assert {name for name in ("said", "moves", "cuts", "count", "whole") if getattr(asked, name)} == parts


@pytest.mark.parametrize(
    "text",
    [
        "what is the red circle next to?",  # how things stand to each other is for those who see
        "what colour is the background?",
        "which red circle is left of the blue star when it moves?",
        "is the man happy?",
        "does the red circle stand up?",
    ],
)
def test_what_cannot_be_told_from_tracks_is_left_to_those_who_see(text: str):
    assert read_clip(text, SHAPES_WORLD) is None


@pytest.mark.parametrize(
    ("text", "does", "whether"),
    [
        ("what goes around in a circle?", "circles", False),
        ("is there a purple ring that goes around in a circle?", "circles", True),
        ("I want to know if the red star disappears", "vanishes", True),
        ("which one gets smaller?", "shrinks", False),
        ("does the red star stay still?", "still", True),
        ("sum up the clip", "", False),
        ("which one rises?", "up", False),
        ("does the red star fall down?", "down", True),
    ],
)
def test_what_something_is_asked_to_do(text: str, does: str, whether: bool):
    asked = read_clip(text, SHAPES_WORLD)
    assert asked is not None
    assert (asked.does, asked.whether) == (does, whether)


def test_words_as_people_write_them():
    assert plural("red cross") == "red crosses"
    assert (several(1, "person"), several(2, "person")) == ("1 person", "2 people")
    assert a("orange ring") == "an orange ring"
    assert listed(["a", "b", "c"]) == "a, b and c"
