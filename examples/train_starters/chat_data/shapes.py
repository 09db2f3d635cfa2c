"""Statements about a world of shapes and the questions they answer."""

from __future__ import annotations

from examples.train_starters.chat_data.turns import Turn
from examples.train_starters.chat_data.wording import Source, sections

COLORS = "red blue green yellow orange purple black white pink brown".split()
SHAPES = "circle square triangle star cross diamond hexagon heart".split()
_RELATIONS = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
_WORDINGS = sections("shapes")
_STATE = _WORDINGS["state"]
_WHAT = _WORDINGS["what"]
_COLOR = _WORDINGS["color"]
_MANY = _WORDINGS["many"]
_IS = _WORDINGS["is"]
_WHERE = _WORDINGS["where"]


def world(source: Source) -> list[Turn]:
    """Two shapes placed, then up to four questions about them."""
    first, second = source.rng.sample(SHAPES, 2)
    c1, c2 = source.rng.sample(COLORS, 2)
    relation = source.choose(list(_RELATIONS))
    spoken = "to the " + relation if relation in ("left of", "right of") and source.chance(0.25) else relation
    state = {"a": f"{_an(c1)} {c1} {first}", "b": f"{_an(c2)} {c2} {second}", "r": spoken}
    things = ((c1, first), (c2, second))
    turns: list[Turn] = []
    if source.chance(0.3):
        turns.append(
            Turn(source.say(_STATE, **state), f"I see: {state['a']} {relation} {state['b']}.", "shapes")
        )
    for _ in range(source.choose([1, 1, 2, 3])):
        wordings, slots, answer = _question(source, things, relation)
        if turns:
            user = source.say(wordings, **slots)
        else:
            joined = f"{source.wording(_STATE)} {source.wording(wordings).replace('{r}', '{q}')}"
            user = source.say([joined], **(slots | state | {"q": slots.get("r", "")}))
        turns.append(Turn(user, answer, "shapes"))
    return turns


def _an(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _question(
    source: Source, things: tuple[tuple[str, str], tuple[str, str]], relation: str
) -> tuple[list[str], dict[str, str], str]:
    """Wordings, their slots, and the answer."""
    (c1, first), (c2, second) = things
    full = [f"{c1} {first}", f"{c2} {second}"]
    short = source.chance(0.5)
    named = [first, second] if short else full
    other = _RELATIONS[relation]
    kind = source.rng.random()
    if kind < 0.45:
        if source.chance(0.15):
            asked = source.choose(["left of", "right of", "above", "below"])
            hit = {relation: 0, other: 1}.get(asked)
            answer = (
                "Nothing that you told me."
                if hit is None or hit == 1
                else f"The {full[0]} is {relation} the {full[1]}."
            )
            return _WHAT, {"r": asked, "x": named[1]}, answer
        if source.chance(0.5):
            return _WHAT, {"r": relation, "x": named[1]}, f"The {full[0]} is {relation} the {full[1]}."
        return _WHAT, {"r": other, "x": named[0]}, f"The {full[1]} is {other} the {full[0]}."
    at = source.rng.randrange(2)
    if kind < 0.68:
        return _COLOR, {"x": (first, second)[at]}, f"The {(first, second)[at]} is {(c1, c2)[at]}."
    if kind < 0.76:
        return _MANY, {}, f"There are 2: the {full[0]} and the {full[1]}."
    if kind < 0.88:
        asked, right = source.choose([(relation, True), (other, False)])
        return (
            _IS,
            {"x": named[0], "y": named[1], "r": asked},
            f"{'Yes' if right else 'No'}, the {full[0]} is {relation} the {full[1]}.",
        )
    return _WHERE, {"x": named[at]}, f"The {full[at]} is {(relation, other)[at]} the {full[1 - at]}."
