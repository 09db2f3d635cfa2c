"""The wordings in which starter-painter is asked to draw something."""

from __future__ import annotations

import random
from collections.abc import Sequence

from examples.train_starters.questions import OPPOSITE, with_article

_WAYS = {
    "left of": ("to the left of", "on the left of", "left from"),
    "right of": ("to the right of", "on the right of", "right from"),
    "above": ("over", "on top of", "higher than"),
    "below": ("under", "beneath", "lower than"),
}
_BESIDE = {
    "left of": ("to its left", "on its left", "on the left"),
    "right of": ("to its right", "on its right", "on the right"),
    "above": ("above it", "over it"),
    "below": ("below it", "under it"),
}
_ASKED = (
    "draw",
    "draw me",
    "please draw",
    "paint",
    "show me",
    "make",
    "a picture of",
    "an image of",
    "a drawing of",
    "draw a picture of",
)
_SIZES = {"small": ("little", "tiny"), "large": ("big", "huge"), "medium": ("medium sized",)}


def usual(things: Sequence[str], relation: str, ground: str) -> str:
    """The prompt in its usual words; no relation or no background is said where it is empty."""
    return _ending(f" {relation or 'and'} ".join(map(with_article, things)), ground and f"on {ground}")


def varied(things: Sequence[str], relation: str, ground: str, rng: random.Random) -> str:
    """The prompt in the usual words half of the time, else in others."""
    if rng.random() < 0.5:
        return _ending(usual(things, relation, ""), ground and rng.choice(_grounds(ground)[:2]))
    return otherwise(things, relation, ground, rng)


def otherwise(things: Sequence[str], relation: str, ground: str, rng: random.Random) -> str:
    """The prompt in one of many wordings and orders."""
    bare = rng.random() < 0.15
    named = [_named(thing, bare, rng) for thing in things]
    said = _related(named, relation, rng) if len(named) > 1 else named[0]
    if ground and rng.random() < 0.2:
        return f"{rng.choice(_grounds(ground)[:2])}{rng.choice((',', ''))} {said}"
    said = _ending(said, ground and rng.choice(_grounds(ground)))
    return said if bare or rng.random() < 0.6 else f"{rng.choice(_ASKED)} {said}"


def _grounds(ground: str) -> tuple[str, ...]:
    return f"on {ground}", f"on {with_article(ground)} background", f"with {with_article(ground)} background"


def _ending(said: str, ground: str) -> str:
    return f"{said} {ground}" if ground else said


def _named(thing: str, bare: bool, rng: random.Random) -> str:
    first, *others = thing.split()
    if first in _SIZES and rng.random() < 0.2:
        thing = " ".join([rng.choice(_SIZES[first]), *others])
    return thing if bare else with_article(thing)


def _related(named: Sequence[str], relation: str, rng: random.Random) -> str:
    """Two things said together: either may come first."""
    one, other = named
    if not relation:
        return rng.choice((f"{one} and {other}", f"{one} with {other}", f"{one}, {other}"))
    if rng.random() < 0.5:
        one, other, relation = other, one, OPPOSITE[relation]
    if rng.random() < 0.6:
        return f"{one} {rng.choice((relation, *_WAYS[relation]))} {other}"
    # The second is said to be beside the first, so it is the other way round.
    place = rng.choice(_BESIDE[OPPOSITE[relation]])
    ways = (f"{one} and {place} {other}", f"{one} with {other} {place}", f"{one}, {place} {other}")
    return rng.choice(ways)
