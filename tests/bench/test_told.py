"""Free answers about clips are read as people read them."""

import pytest

from examples.train_starters.shapes_world import COLOURS, Background, Clip, Frame, Motion, Scene, Thing

from .clip_talk import ClipTurn
from .films import Film
from .told import claims, right


def thing(name: str) -> Thing:
    colour, shape = name.split()
    return Thing(shape, colour, "small", 30, 30, 8, 0.0, COLOURS[colour])


STAR, RING = thing("red star"), thing("blue ring")
GROUND = Background("white", "plain", (COLOURS["white"],) * 2, 0.0)
FRAMES = tuple(
    Frame(Scene((one,), GROUND, 96, 0.0, 0), shot) for shot, one in enumerate((STAR, RING)) for _ in range(8)
)
FILM = Film(Clip(FRAMES, (Motion("left", STAR, 0), Motion("still", RING, 1)), ("cut",)), 4)
SUMMED = "0.2 s: the red star moves to the left; 2.2 s: the blue ring stays still"


@pytest.mark.parametrize(
    ("kind", "wanted", "said", "true"),
    [
        ("happens", "", "The red star moves to the left [1], then the blue ring stays where it is.", True),
        ("happens", "", "The red star goes left.", True),
        ("happens", "", "The red star moves to the right.", False),
        ("happens", "", "The red star and the blue ring move to the left.", False),
        ("happens", "", "The clip has no sound.", False),
        ("summary", SUMMED, "0:00.0: the red star moves to the left.\n0:02.0: the blue ring stays.", True),
        ("summary", SUMMED, "The red star moves to the left and the blue ring stays.", False),
        ("motion", "it moves to the left", "it moves to the left", True),
        ("motion", "it moves to the left", "The red star moves up from 0:00.0 to 0:02.0.", False),
        ("mover", "a red star", "The red star moves to the left.", True),
        ("mover", "nothing", "Nothing moves.", True),
        ("mover", "nothing", "The red star moves.", False),
        ("scenes", "2", "There are 2 scenes. There is a cut at 0:02.0 [1].", True),
        ("scenes", "2", "There is no cut.", False),
        ("cut", "at 2.2 s", "There is a cut at 0:02.0 [1].", True),
        ("cut", "at 2.2 s", "There is a cut at 0:09.0 [1].", False),
        ("color", "red", "The star is red [1].", True),
        ("color", "red", "blue", False),
        ("exist", "no", "No: no red heart was followed.", True),
        ("order", "the red star", "The red star comes first: the red star and the blue ring.", True),
    ],
)  # fmt: skip
def test_an_answer_is_true_or_not(kind: str, wanted: str, said: str, true: bool):
    assert right(FILM, ClipTurn(kind, "how does the star move?", wanted), said) is true


def test_who_does_what_is_read_in_order():
    assert claims(
        "the red circle changes places with the pink ring and the blue cross bounces up and down"
    ) == [
        ("red circle", "swap"),
        ("pink ring", "swap"),
        ("blue cross", "bounce"),
    ]
