"""What happened in a clip, when: computed from the tracks of its objects, with no model and no pictures.

Lengths are pixels of the clip, y downwards; times are seconds from its beginning.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..events import Footage, Labels
from ..schema import JSON

Point = tuple[float, float]
Line = tuple[Point, Point]
Zone = tuple[Point, ...]
Numbers = NDArray[np.float64]
What = Literal["there", "enters", "appears", "leaves", "vanishes", "crosses", "zone_enter", "zone_leave"]

WAYS = ("right", "down-right", "down", "down-left", "left", "up-left", "up", "up-right")
STRIDE = 0.5
"""Seconds between the places a path is measured by: what shakes faster is the detector, not the object."""
STILL = 0.25
"""An object that moves by less than this share of its size stays where it is."""
EDGE = 0.03
"""An object this near to an edge, in shares of the picture, came in or went out there."""


@dataclass(frozen=True, eq=False)
class Track:
    """One object through a clip: its times (n,) in seconds, rising, and its boxes (n, 4), left to bottom."""

    id: int
    label: str
    times: Numbers
    boxes: Numbers

    @property
    def centres(self) -> Numbers:
        """Its middle, (n, 2)."""
        return (self.boxes[:, :2] + self.boxes[:, 2:]) / 2

    @property
    def size(self) -> float:
        """Its usual width and height, as one length."""
        return float(np.median(np.sqrt(np.prod(self.boxes[:, 2:] - self.boxes[:, :2], axis=1))))

    @property
    def name(self) -> str:
        return f"{self.label} {self.id}"


@dataclass(frozen=True)
class Happening:
    """Something that an object does at a moment; `line` or `zone` says at which, counted from 0."""

    time_s: float
    track: int
    label: str
    what: What
    text: str
    line: int | None = None
    zone: int | None = None
    way: Literal["in", "out"] | None = None

    def shown(self) -> JSON:
        """As JSON, with the moment as people write it, and without what does not apply."""
        told = {name: value for name, value in vars(self).items() if value is not None}
        return told | {"timecode": timecode(self.time_s)}


def tracks_of(seen: Iterable[Labels]) -> list[Track]:
    """The objects of a clip, in order of their numbers; each goes by the class it was seen as most often."""
    rows: dict[int, list[tuple[float, ...]]] = {}
    names: dict[int, Counter[str]] = {}
    for labels in seen:
        for item in labels.items:
            if item.track is None or item.box is None or labels.time_s is None:
                continue
            box = item.box
            rows.setdefault(item.track, []).append((labels.time_s, box.xmin, box.ymin, box.xmax, box.ymax))
            names.setdefault(item.track, Counter())[item.label] += 1
    found = []
    for id in sorted(rows):
        table = np.array(sorted(rows[id]), dtype=np.float64)
        found.append(Track(id, names[id].most_common(1)[0][0], table[:, 0], table[:, 1:]))
    return found


def movement(track: Track) -> JSON:
    """When an object is there, how far and how fast it goes, and which way."""
    times, places = _strides(track)
    steps = np.hypot(*np.diff(places, axis=0).T) if len(places) > 1 else np.zeros(0)
    steps = np.where(steps < 0.05 * track.size, 0.0, steps)  # a shaking box goes nowhere
    spans = np.diff(times)
    speeds = steps / np.maximum(spans, 1e-9)
    whole = float(track.times[-1] - track.times[0])
    return {
        "enter_s": _round(track.times[0]),
        "leave_s": _round(track.times[-1]),
        "distance_px": _round(steps.sum(), 1),
        "speed_px_s": _round(steps.sum() / whole if whole > 0 else 0.0, 1),
        "top_speed_px_s": _round(speeds.max(initial=0.0), 1),
        "direction": direction(track),
    }


def direction(track: Track) -> str:
    """Which way an object goes from its first place to its last: one of `WAYS`, or `none`."""
    dx, dy = track.centres[-1] - track.centres[0]
    if math.hypot(dx, dy) < STILL * track.size:
        return "none"
    return WAYS[round(math.degrees(math.atan2(dy, dx)) / 45) % 8]


def happenings(
    tracks: Sequence[Track], footage: Footage, lines: Sequence[Line] = (), zones: Sequence[Zone] = ()
) -> list[Happening]:
    """Everything that objects do, in order of time."""
    first = min((track.times[0] for track in tracks), default=0.0)
    last = max((track.times[-1] for track in tracks), default=0.0)
    found: list[Happening] = []
    for track in tracks:
        found.append(_entry(track, footage, track.times[0] <= first and first < 1 / max(footage.fps, 1)))
        if track.times[-1] < last:
            found.append(_exit(track, footage))
        for number, line in enumerate(lines):
            found.extend(_crossings(track, line, number))
        for number, zone in enumerate(zones):
            found.extend(_visits(track, zone, number))
    return sorted(found, key=lambda event: (event.time_s, event.track))


def counts(
    tracks: Sequence[Track],
    events: Sequence[Happening],
    seconds: float,
    lines: Sequence[Line] = (),
    zones: Sequence[Zone] = (),
) -> JSON:
    """How many objects there are: in all, at each second, over each line, in each zone."""
    over_time = [_present(tracks, float(second)) for second in range(max(1, math.ceil(seconds)))]
    return {
        "objects": dict(Counter(track.label for track in tracks)),
        "at_once": max((moment["count"] for moment in over_time), default=0),
        "over_time": over_time,
        "lines": [_over_line([e for e in events if e.line == number]) for number in range(len(lines))],
        "zones": [_in_zone(tracks, zone, number, events) for number, zone in enumerate(zones)],
    }


def timecode(seconds: float) -> str:
    """A moment as people write it: `0:03.2`, `1:02:03.0`."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    clock = f"{minutes:02}:{rest / 10:04.1f}" if hours else f"{minutes}:{rest / 10:04.1f}"
    return f"{hours}:{clock}" if hours else clock


# --- coming and going ---------------------------------------------------------------------------


def _entry(track: Track, footage: Footage, from_start: bool) -> Happening:
    edge = _edge(track.boxes[0], footage)
    if from_start:
        return _event(track, 0, "there", "is there from the start")
    if edge:
        return _event(track, 0, "enters", f"enters {edge[0]}")
    return _event(track, 0, "appears", "appears")


def _exit(track: Track, footage: Footage) -> Happening:
    edge = _edge(track.boxes[-1], footage)
    if edge:
        return _event(track, -1, "leaves", f"leaves {edge[1]}")
    return _event(track, -1, "vanishes", "is seen for the last time")


def _edge(box: Numbers, footage: Footage) -> tuple[str, str] | None:
    """How to say that something comes in, or goes out, at the edge that a box touches."""
    near = (box[0] / footage.width, 1 - box[2] / footage.width)
    tall = (box[1] / footage.height, 1 - box[3] / footage.height)
    names = (
        ("from the left", "to the left"),
        ("from the right", "to the right"),
        ("from the top", "at the top"),
        ("from the bottom", "at the bottom"),
    )
    distance, name = min(zip((*near, *tall), names, strict=True))
    return name if distance < EDGE else None


def _event(track: Track, at: int, what: What, text: str, **more: Any) -> Happening:
    return Happening(_round(track.times[at]), track.id, track.label, what, f"{track.name} {text}", **more)


# --- lines and zones ----------------------------------------------------------------------------


def _crossings(track: Track, line: Line, number: int) -> Iterator[Happening]:
    """Where an object with all of its box goes from one side of a line to the other.

    It may be hidden meanwhile. `in` is downwards over a line drawn from left to right.
    """
    (ax, ay), (bx, by) = line
    corners = track.boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    sides = np.sign((bx - ax) * (corners[..., 1] - ay) - (by - ay) * (corners[..., 0] - ax))
    whole = np.where((sides > 0).all(axis=1), 1, np.where((sides < 0).all(axis=1), -1, 0))
    clear: list[int] = np.flatnonzero(whole).tolist()
    for before, after in pairwise(clear):
        if whole[before] == whole[after] or not _meets(track.centres[before : after + 1], line):
            continue
        way: Literal["in", "out"] = "in" if whole[after] > 0 else "out"
        yield _event(track, after, "crosses", f"crosses line {number + 1} ({way})", line=number, way=way)


def _meets(path: Numbers, line: Line) -> bool:
    """Whether a path (n, 2) cuts through a line between its ends."""
    a, b = np.array(line[0]), np.array(line[1])
    along = b - a
    offsets = path - a
    side = along[0] * offsets[:, 1] - along[1] * offsets[:, 0]
    for at in np.flatnonzero(np.sign(side[:-1]) != np.sign(side[1:])):
        share = side[at] / (side[at] - side[at + 1])
        place = path[at] + share * (path[at + 1] - path[at])
        if 0 <= float((place - a) @ along) <= float(along @ along):
            return True
    return False


def _visits(track: Track, zone: Zone, number: int) -> Iterator[Happening]:
    """When the middle of an object goes into a zone and out of it, for three frames at least."""
    inside = _settled(_inside(track.centres, zone))
    if inside[0]:
        yield _event(track, 0, "zone_enter", f"is in zone {number + 1}", zone=number, way="in")
    for at in (np.flatnonzero(inside[1:] != inside[:-1]) + 1).tolist():
        if inside[at]:
            yield _event(track, at, "zone_enter", f"enters zone {number + 1}", zone=number, way="in")
        else:
            yield _event(track, at, "zone_leave", f"leaves zone {number + 1}", zone=number, way="out")


def _inside(points: Numbers, zone: Zone) -> NDArray[np.bool_]:
    """Which points (n, 2) are in a polygon: a ray to the right meets its sides an odd number of times."""
    x, y = points[:, 0], points[:, 1]
    inside = np.zeros(len(points), dtype=bool)
    for (x1, y1), (x2, y2) in zip(zone, (*zone[1:], zone[0]), strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside


def _settled(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The same without changes that last for one or two frames: the middle of a shaking box on the border."""
    if len(inside) < 3:
        return inside
    padded = np.pad(inside, 2, mode="edge").astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5)
    settled: NDArray[np.bool_] = windows.sum(axis=1) > 2
    return settled


def _over_line(events: Sequence[Happening]) -> JSON:
    labels: dict[str, Counter[str]] = {}
    for event in events:
        labels.setdefault(event.label, Counter())[str(event.way)] += 1
    ways = Counter(event.way for event in events)
    return {"in": ways["in"], "out": ways["out"], "labels": {key: dict(one) for key, one in labels.items()}}


def _in_zone(tracks: Sequence[Track], zone: Zone, number: int, events: Sequence[Happening]) -> JSON:
    mine = [event for event in events if event.zone == number]
    return {
        "entered": sum(event.way == "in" for event in mine),
        "left": sum(event.way == "out" for event in mine),
        "objects": len({event.track for event in mine}),
        "seconds": _round(sum(_stay(track, zone) for track in tracks), 2),
    }


def _stay(track: Track, zone: Zone) -> float:
    """Seconds that an object is in a zone."""
    inside = _settled(_inside(track.centres, zone))
    return float(np.diff(track.times)[inside[:-1]].sum())


# --- numbers ------------------------------------------------------------------------------------


def _present(tracks: Sequence[Track], second: float) -> JSON:
    """Objects that are seen within a second."""
    labels = Counter(
        track.label for track in tracks if track.times[0] < second + 1 and track.times[-1] >= second
    )
    return {"time_s": second, "count": labels.total(), "labels": dict(labels)}


def _strides(track: Track) -> tuple[Numbers, Numbers]:
    """Times and places (n, 2) that are `STRIDE` seconds apart, or a little less at the end."""
    span = track.times[-1] - track.times[0]
    times = np.linspace(track.times[0], track.times[-1], max(2, math.ceil(span / STRIDE) + 1))
    centres = np.pad(track.centres, ((2, 2), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = np.lib.stride_tricks.sliding_window_view(centres, 5, axis=0).mean(axis=-1)
    places = np.stack([np.interp(times, track.times, smooth[:, axis]) for axis in (0, 1)], axis=1)
    return times, places


def _round(value: float, digits: int = 3) -> float:
    return round(float(value), digits)
