"""What each object of a clip does, scene by scene: which way it goes, whether it bounces, circles, grows,
comes or goes, or changes places; computed from its track, with no model and no pictures."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..events import Labels
from .motion import STILL, Numbers, Track, direction, tracks_of

Span = tuple[float, float]
MANNERS = ("none", "grows", "shrinks", "circles", "bounces", "sways", "swaps")
"""How objects behave, besides going one of the ways of `motion.WAYS`."""
GROWN = 1.35
"""An object whose size changes by this factor, and that stays about where it is, grows or shrinks."""
ROUND = 1.4 * math.pi
"""An object that goes round a middle by this angle moves in a circle."""
LATE, LATE_S, LATE_LOOKS = 0.2, 1.0, 3.0
"""What is not seen in this first share of a scene, in a second of it, or in so many looks at it, whatever is
less of the first two and more than the third, appears later; and likewise at its end."""
LOST = 1.0
"""An object that is not found for so many seconds is the same one, where it is the only one of its name."""
FLICKER, FLICKER_S = 2, 0.12
"""What is seen in so few looks, or for so few seconds, is a mistake of the detector where others last."""


@dataclass(frozen=True, eq=False)
class Act:
    """What one object does in one scene. `manner` is one of `MANNERS` or of `motion.WAYS`.

    `partner` is the label of the object that it changes places with.
    """

    track: Track
    scene: int
    manner: str
    appears: bool = False
    vanishes: bool = False
    partner: str = ""

    @property
    def start_s(self) -> float:
        return float(self.track.times[0])

    @property
    def end_s(self) -> float:
        return float(self.track.times[-1])

    @property
    def moves(self) -> bool:
        """Whether it changes its place."""
        return self.manner not in ("none", "grows", "shrinks")

    @property
    def does(self) -> frozenset[str]:
        """Everything that can be said of it, each in one word."""
        words = {self.manner} if self.manner in MANNERS else {*self.manner.split("-")}
        words |= {"moves"} if self.moves else set()
        coming = ({"appears"} if self.appears else set()) | ({"vanishes"} if self.vanishes else set())
        return frozenset(words - {"none"} | coming) or frozenset({"still"})


def scenes_of(cuts: Iterable[Span], seconds: float) -> tuple[Span, ...]:
    """From cuts, each where it begins and ends, to the scenes between them."""
    edges = [0.0, *(edge for cut in sorted(cuts) for edge in cut), seconds]
    return tuple((start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end >= start)


def named_by_scene(seen: Sequence[Labels], scenes: Sequence[Span]) -> tuple[Track, ...]:
    """Tracks of which each has one name: what a tracker holds for one object through a cut may be two."""
    found: dict[tuple[int, str], list[Track]] = {}
    for number, (start, end) in enumerate(scenes):
        ends = math.inf if number == len(scenes) - 1 else (end + scenes[number + 1][0]) / 2
        begins = 0.0 if number == 0 else (scenes[number - 1][1] + start) / 2
        for track in tracks_of(one for one in seen if begins <= (one.time_s or 0.0) < ends):
            found.setdefault((track.id, track.label), []).append(track)
    return tuple(_one(parts) for parts in found.values())


def _one(parts: Sequence[Track]) -> Track:
    """The parts of a track as one."""
    times, boxes = (np.concatenate([getattr(part, of) for part in parts]) for of in ("times", "boxes"))
    order = np.argsort(times, kind="stable")
    return replace(parts[0], times=times[order], boxes=boxes[order])


def acts_of(tracks: Sequence[Track], scenes: Sequence[Span], *, apart: bool = False) -> tuple[Act, ...]:
    """What every object does in every scene, in order of time.

    One that is followed through a cut does one thing, unless the scenes are looked at `apart`.
    """
    step, left = _step(tracks), list(tracks)
    found: list[Act] = []
    if not apart:
        through = [track for track in tracks if len(_scenes_of(track, scenes)) > 1]
        left = [track for track in tracks if track not in through]
        for track in through:
            first, *_, last = _scenes_of(track, scenes)
            found.append(_act(track, first, (scenes[first][0], scenes[last][1]), step))
    for number, scene in enumerate(scenes):
        ends = scene[1] + (1e-6 if number == len(scenes) - 1 else 0.0)
        whole = [part for track in left if (part := _within(track, scene[0], ends)) is not None]
        found += _swapped(
            [_act(part, number, scene, step) for part in _steady(_joined(whole, scene), step, scene)]
        )
    return tuple(sorted(found, key=lambda act: act.scene))


def _scenes_of(track: Track, scenes: Sequence[Span]) -> list[int]:
    """In which scenes an object is seen, more than for a moment."""
    return [
        number
        for number, (start, end) in enumerate(scenes)
        if ((track.times >= start) & (track.times <= end)).sum() > FLICKER
    ]


def manner(track: Track) -> str:
    """How an object moves from its first moment to its last."""
    places, sizes = _calm(track.centres), np.sqrt(np.prod(track.boxes[:, 2:] - track.boxes[:, :2], axis=1))
    wide, high = np.ptp(places, axis=0).tolist()
    factor = _growth(track.times, sizes)
    gone = math.hypot(*(places[-1] - places[0]))
    if max(factor, 1 / factor) > GROWN and gone < 0.75 * float(sizes.max()):
        return "grows" if factor > 1 else "shrinks"
    if math.hypot(wide, high) < STILL * track.size:
        return "none"
    if max(wide, high) < 0.5 * track.size:
        return direction(track)
    if _goes_round(places, wide, high):
        return "circles"
    upright = high >= wide
    least = 1 if gone < 0.4 * max(wide, high) else 2
    if min(wide, high) < 0.5 * max(wide, high) and _turns(track.centres[:, int(upright)]) >= least:
        return "bounces" if upright else "sways"
    return direction(track) if gone >= STILL * track.size else "none"


def _act(track: Track, number: int, scene: Span, step: float) -> Act:
    slack = max(LATE_LOOKS * step, min(LATE_S, LATE * (scene[1] - scene[0])))
    return Act(
        track,
        number,
        manner(track) if len(track.times) > 1 else "none",
        appears=float(track.times[0]) - scene[0] > slack,
        vanishes=scene[1] - float(track.times[-1]) > slack + step,
    )


def _within(track: Track, start: float, end: float) -> Track | None:
    kept = (track.times >= start) & (track.times < end)
    return replace(track, times=track.times[kept], boxes=track.boxes[kept]) if kept.any() else None


def _joined(tracks: Sequence[Track], scene: Span) -> list[Track]:
    """Parts of a track that was lost and found again are one, where nothing else has their name meanwhile."""
    longest = max(LOST, 0.3 * (scene[1] - scene[0]))
    found: list[Track] = []
    for label in dict.fromkeys(track.label for track in tracks):
        mine = [track for track in tracks if track.label == label]
        whole = _one(_apart(mine))
        alone = len(set(whole.times.tolist())) == len(whole.times)
        found += [whole] if alone and float(np.diff(whole.times).max(initial=0.0)) <= longest else mine
    return sorted(found, key=lambda one: (float(one.times[0]), one.id))


def _apart(tracks: Sequence[Track]) -> list[Track]:
    """Without what is seen for a moment only while another of the same name is there."""
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda one: -len(one.times)):
        doubled = any(np.isin(track.times, other.times).any() for other in kept)
        if not (doubled and len(track.times) <= FLICKER):
            kept.append(track)
    return kept


def _steady(tracks: list[Track], step: float, scene: Span) -> list[Track]:
    """Without what is seen for a moment only, beside others that last."""
    looks = (scene[1] - scene[0]) / max(step, 1e-6)
    lasting = [one for one in tracks if len(one.times) > FLICKER and np.ptp(one.times) >= FLICKER_S]
    return lasting if lasting and looks > 4 * FLICKER else tracks


def _step(tracks: Sequence[Track]) -> float:
    """Seconds between two looks at the clip."""
    gaps = [float(gap) for track in tracks for gap in np.diff(track.times)]
    return float(np.median(gaps)) if gaps else 0.0


def _calm(places: Numbers) -> Numbers:
    """Places without what lasts for one look: the detector, not the object, was there."""
    if len(places) < 5:
        return places
    padded = np.pad(places, ((1, 1), (0, 0)), mode="edge")
    calm: Numbers = np.median(np.lib.stride_tricks.sliding_window_view(padded, 3, axis=0), axis=-1)
    return calm


def _growth(times: Numbers, sizes: Numbers) -> float:
    """By what factor a size changes steadily from beginning to end; 1 where it does not."""
    if len(times) < 4 or np.ptp(times) <= 0:
        return 1.0
    logs = np.log(np.maximum(sizes, 1e-6))
    likeness = np.corrcoef(times, logs)[0, 1] if np.ptp(logs) > 1e-6 else 0.0
    slope = np.polyfit(times, logs, 1)[0]
    return float(np.exp(slope * np.ptp(times))) if abs(likeness) > 0.85 else 1.0


def _goes_round(places: Numbers, wide: float, high: float) -> bool:
    if len(places) < 5 or min(wide, high) < 0.45 * max(wide, high):
        return False
    away = places - (places.max(0) + places.min(0)) / 2
    angles = np.unwrap(np.arctan2(away[:, 1], away[:, 0]))
    far = np.hypot(*away.T)
    return bool(abs(angles[-1] - angles[0]) > ROUND and far.std() < 0.35 * far.mean())


def _turns(along: Numbers) -> int:
    """How often something turns back, each time by a good part of its way."""
    least, way, turns = 0.35 * float(np.ptp(along)), 0, 0
    furthest = float(along[0])
    for value in along[1:].tolist():
        if way == 0:
            way = 1 if value - furthest > least else -1 if furthest - value > least else 0
            furthest = value if way else furthest
        elif (value - furthest) * way > 0:
            furthest = value
        elif (furthest - value) * way > least:
            way, furthest, turns = -way, value, turns + 1
    return turns


def _swapped(acts: list[Act]) -> list[Act]:
    """Two that end where the other began have changed places."""
    done = list(acts)
    for one, other in ((a, b) for at, a in enumerate(acts) for b in acts[at + 1 :]):
        if not (one.moves and other.moves) or one.appears or other.appears or one.vanishes or other.vanishes:
            continue
        mine, its = one.track.centres, other.track.centres
        far = math.hypot(*(mine[0] - its[0]))
        missed = max(math.hypot(*(mine[-1] - its[0])), math.hypot(*(its[-1] - mine[0])))
        if missed < 0.5 * far:
            done[acts.index(one)] = replace(one, manner="swaps", partner=other.track.label)
            done[acts.index(other)] = replace(other, manner="swaps", partner=one.track.label)
    return done
