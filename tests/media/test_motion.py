"""What is told of tracks: who comes and goes, how fast and which way, over which line, in which zone."""

from collections.abc import Callable

import numpy as np
import pytest

from inference_chat.events import Box, Footage, Label, Labels
from inference_chat.media import motion
from inference_chat.media.motion import Happening, Line, Zone

FOOTAGE = Footage(fps=10, frame_count=40, seconds=4, width=200, height=100)
Path = Callable[[float], tuple[float, float]]


def labels(*paths: Path, hidden: tuple[float, float] = (9, 9), shake: float = 0) -> list[Labels]:
    """Four seconds of objects of 20 × 20 pixels whose middles go along `paths` (second → place)."""
    rng = np.random.default_rng(0)
    found = []
    for frame in range(40):
        now = frame / 10
        items = []
        for track, path in enumerate(paths, 1):
            x, y = np.array(path(now)) + rng.normal(0, shake, 2)
            box = Box(xmin=x - 10, ymin=y - 10, xmax=x + 10, ymax=y + 10)
            items.append(Label(label="car", score=0.9, box=box, track=track))
        gone = hidden[0] < now < hidden[1]
        found.append(Labels(items=() if gone else tuple(items), frame=frame, time_s=now))
    return found


def told(seen: list[Labels], lines: tuple[Line, ...] = (), zones: tuple[Zone, ...] = ()) -> list[Happening]:
    return motion.happenings(motion.tracks_of(seen), FOOTAGE, lines, zones)


def moved(path: Path, **more):
    return motion.movement(motion.tracks_of(labels(path, **more))[0])


RIGHT: Path = lambda s: (20 + 40 * s, 50)  # noqa: E731
STANDING: Path = lambda s: (100, 50)  # noqa: E731
DOWN: Path = lambda s: (100, 20 + 15 * s)  # noqa: E731
UPRIGHT: Line = ((100, 0), (100, 100))


def test_speed_is_measured_in_pixels_a_second():
    assert moved(RIGHT)["speed_px_s"] == pytest.approx(40, rel=0.02)
    assert moved(RIGHT)["distance_px"] == pytest.approx(156, rel=0.02)
    assert (moved(RIGHT)["enter_s"], moved(RIGHT)["leave_s"]) == (0, 3.9)


def test_a_shaking_box_does_not_make_an_object_move():
    assert moved(RIGHT, shake=0.5)["speed_px_s"] == pytest.approx(40, rel=0.05)
    assert moved(STANDING, shake=0.3) | {"top_speed_px_s": 0} == {
        "enter_s": 0,
        "leave_s": 3.9,
        "distance_px": 0,
        "speed_px_s": 0,
        "top_speed_px_s": 0,
        "direction": "none",
    }


@pytest.mark.parametrize(
    ("dx", "dy", "way"),
    [
        (1, 0, "right"),
        (-1, 0, "left"),
        (0, 1, "down"),
        (0, -1, "up"),
        (1, 1, "down-right"),
        (-1, -1, "up-left"),
    ],
)
def test_directions_have_names(dx: int, dy: int, way: str):
    assert moved(lambda s: (100 + 10 * dx * s, 50 + 10 * dy * s))["direction"] == way


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        (lambda s: (10 + 40 * s, 50), ["car 1 is there from the start"]),
        (lambda s: (30 + 42 * s, 50), ["car 1 is there from the start"]),
    ],
)
def test_what_is_there_all_the_time_does_not_come_or_go(path: Path, texts: list[str]):
    assert [event.text for event in told(labels(path))] == texts


def test_objects_come_in_and_go_out_at_edges():
    seen = labels(STANDING, lambda s: (-5 + 100 * (s - 1), 50))
    seen = [one.model_copy(update={"items": one.items[: 1 + (1.1 < (one.time_s or 0) < 3)]}) for one in seen]
    assert [event.text for event in told(seen)][1:] == [
        "car 2 enters from the left",
        "car 2 leaves to the right",
    ]
    assert [event.shown()["timecode"] for event in told(seen)] == ["0:00.0", "0:01.2", "0:02.9"]


def test_objects_appear_and_are_seen_last_in_the_middle():
    seen = labels(RIGHT, STANDING)
    seen = [one.model_copy(update={"items": one.items[: 1 + (1 < (one.time_s or 0) < 2)]}) for one in seen]
    assert [event.what for event in told(seen)] == ["there", "appears", "vanishes"]


# --- lines --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "line", "way"),
    [
        (RIGHT, UPRIGHT, "out"),
        (RIGHT, UPRIGHT[::-1], "in"),
        (lambda s: (180 - 40 * s, 50), UPRIGHT, "in"),
        (DOWN, ((50, 50), (150, 50)), "in"),
    ],
)
def test_crossings_have_a_way(path: Path, line: Line, way: str):
    crossing = told(labels(path), (line,))[-1]
    assert (crossing.what, crossing.way, crossing.line) == ("crosses", way, 0)


def test_a_crossing_counts_though_the_object_is_hidden_meanwhile():
    assert [event.what for event in told(labels(RIGHT, hidden=(1.2, 2.8)), (UPRIGHT,))] == [
        "there",
        "crosses",
    ]


def test_lingering_on_a_line_is_no_crossing():
    assert [event.what for event in told(labels(STANDING, shake=3), (UPRIGHT,))] == ["there"]


@pytest.mark.parametrize("line", [((100, 0), (100, 30)), ((250, 0), (250, 100))])
def test_passing_beside_a_line_is_no_crossing(line: Line):
    assert [event.what for event in told(labels(RIGHT), (line,))] == ["there"]


def test_crossings_are_counted_each_way_and_by_label():
    back: Path = lambda s: (100 + 60 * np.sin(s * np.pi), 50)  # noqa: E731
    tracks = motion.tracks_of(labels(RIGHT, lambda s: back(s + 0.5)))
    events = motion.happenings(tracks, FOOTAGE, (UPRIGHT,))
    found = motion.counts(tracks, events, 4, (UPRIGHT,))["lines"]
    assert found == [{"in": 2, "out": 3, "labels": {"car": {"in": 2, "out": 3}}}]


# --- zones --------------------------------------------------------------------------------------

SQUARE: Zone = ((80, 30), (120, 30), (120, 70), (80, 70))


def test_zones_are_entered_and_left():
    tracks = motion.tracks_of(labels(RIGHT))
    events = motion.happenings(tracks, FOOTAGE, (), (SQUARE,))
    assert [(event.what, event.time_s) for event in events[1:]] == [("zone_enter", 1.5), ("zone_leave", 2.5)]
    zone = motion.counts(tracks, events, 4, (), (SQUARE,))["zones"][0]
    assert zone == {"entered": 1, "left": 1, "objects": 1, "seconds": 1.0}


def test_a_box_that_shakes_on_the_border_enters_once():
    border: Path = lambda s: (78 + 2 * s, 50)  # noqa: E731
    entries = [event for event in told(labels(border, shake=0.7), (), (SQUARE,)) if event.zone == 0]
    assert [event.what for event in entries][:1] == ["zone_enter"]
    assert len(entries) <= 3


def test_hollow_zones_are_followed():
    corner: Zone = ((0, 0), (200, 0), (200, 100), (150, 100), (150, 20), (0, 20))
    events = [event.what for event in told(labels(RIGHT), (), (corner,))]
    assert events == ["there", "zone_enter"]


# --- counts -------------------------------------------------------------------------------------


def test_objects_are_counted_over_time():
    seen = labels(RIGHT, STANDING)
    seen = [one.model_copy(update={"items": one.items[: 1 + (1 < (one.time_s or 0) < 2)]}) for one in seen]
    tracks = motion.tracks_of(seen)
    found = motion.counts(tracks, motion.happenings(tracks, FOOTAGE), FOOTAGE.seconds)
    assert [moment["count"] for moment in found["over_time"]] == [1, 2, 1, 1]
    assert (found["objects"], found["at_once"]) == ({"car": 2}, 2)


def test_nothing_seen_is_nothing_told():
    assert motion.happenings([], FOOTAGE, (UPRIGHT,), (SQUARE,)) == []
    assert motion.counts([], [], 0.4, (UPRIGHT,), (SQUARE,))["over_time"] == [
        {"time_s": 0.0, "count": 0, "labels": {}}
    ]


def test_an_object_seen_once_stands():
    assert motion.movement(motion.tracks_of(labels(RIGHT)[:1])[0])["speed_px_s"] == 0


def test_a_track_goes_by_its_most_frequent_label():
    seen = labels(RIGHT)
    odd = seen[3].items[0].model_copy(update={"label": "bus"})
    seen[3] = seen[3].model_copy(update={"items": (odd,)})
    assert motion.tracks_of(seen)[0].label == "car"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00.0"), (63.25, "1:03.2"), (3723.96, "1:02:04.0"), (59.99, "1:00.0")]
)
def test_timecodes(seconds: float, text: str):
    assert motion.timecode(seconds) == text
