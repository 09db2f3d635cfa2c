"""What people ask about clips of the world of shapes.

A wording has (a|b) choices and {slots}, as those of `questions.py`.
"""

from __future__ import annotations

from examples.train_starters.chat_data.wording import lines
from examples.train_starters.questions import Kind

# What a thing does, as one says it of one thing, as one asks who does it, as one asks whether it does.
DOES = {
    "left": "moves to the left",
    "right": "moves to the right",
    "up": "moves up",
    "down": "moves down",
    "bounce": "bounces",
    "circle": "moves in a circle",
    "grow": "grows",
    "shrink": "shrinks",
    "appear": "appears",
    "vanish": "disappears",
    "swap": "swaps places",
    "still": "stays still",
}
# Wide lines are easier to compare.
# ruff: noqa: E501
SAID: dict[str, tuple[tuple[str, str], ...]] = {
    "left": (("moves left", "move left"), ("moves to the left", "move to the left"), ("goes left", "go left"),
             ("is moving left", "move left"), ("goes to the left", "go to the left")),
    "right": (("moves right", "move right"), ("moves to the right", "move to the right"), ("goes right", "go right"),
              ("is moving right", "move right"), ("goes to the right", "go to the right")),
    "up": (("moves up", "move up"), ("goes up", "go up"), ("moves upwards", "move upwards"), ("rises", "rise")),
    "down": (("moves down", "move down"), ("goes down", "go down"), ("moves downwards", "move downwards"),
             ("sinks", "sink")),
    "bounce": (("bounces", "bounce"), ("is bouncing", "bounce"), ("jumps", "jump")),
    "circle": (("moves in a circle", "move in a circle"), ("goes round", "go round"),
               ("goes around in a circle", "go around in a circle")),
    "grow": (("grows", "grow"), ("gets bigger", "get bigger"), ("gets larger", "get larger")),
    "shrink": (("shrinks", "shrink"), ("gets smaller", "get smaller")),
    "appear": (("appears", "appear"), ("shows up", "show up"), ("comes in", "come in")),
    "vanish": (("disappears", "disappear"), ("vanishes", "vanish"), ("goes away", "go away")),
    "swap": (("swaps places", "swap places"), ("changes places", "change places"),
             ("swaps", "swap")),
    "still": (("stays still", "stay still"), ("does not move", "stay where it is"), ("stays where it is", "stand still"),
              ("stands still", "stay in place")),
    "move": (("moves", "move"), ("is moving", "move")),
}  # fmt: skip

_CLIP = "(video|clip)"


def _kind(train: str, test: str) -> Kind:
    return Kind(tuple(lines(train)), tuple(lines(test)), video=True)


# Slots: {thing} "red circle" or "circle", {a_thing}, {things}, {other}, {shape}, {does} "moves left", {do} "move left".
CLIP_KINDS: dict[str, Kind] = {
    "happens": _kind(
        f"""what happens?
        what happens in the {_CLIP}?
        what happens in this {_CLIP}?
        describe the {_CLIP}.
        describe this {_CLIP}.
        what is going on in the {_CLIP}?
        what is going on?
        tell me what happens.
        what do you see in the {_CLIP}?
        what do you see?
        describe what happens.
        what is happening here?
        what does the {_CLIP} show?
        what is in the {_CLIP}?
        in what order do things happen?
        in which order does everything happen?
        what happens, and in what order?
        tell me about the {_CLIP}.
        sum up the {_CLIP}.
        caption this {_CLIP}.
        give me a description of the {_CLIP}.""",
        f"""can you describe the {_CLIP}?
        what is the {_CLIP} about?
        what can be seen in this {_CLIP}?
        say what goes on in the {_CLIP}.""",
    ),
    "summary": _kind(
        f"""summarise the {_CLIP} with times.
        summarize the {_CLIP} with times.
        summarise this {_CLIP} with timecodes.
        summarize this {_CLIP} with timecodes.
        give me a summary with times.
        what happens when?
        tell me what happens when.
        describe the {_CLIP} with times.
        list what happens with times.
        what happens at which time?
        sum up the {_CLIP} with timestamps.
        what happens, with times?
        give the times of what happens.
        describe what happens and when.""",
        f"""can you summarise the {_CLIP} with the times?
        say what happens in the {_CLIP} and when.
        a summary of the {_CLIP} with timecodes, please.""",
    ),
    "motion": _kind(
        """how does the {thing} move?
        which way does the {thing} (move|go)?
        what does the {thing} do?
        where does the {thing} (move|go)?
        where does the {thing} (move|go) to?
        in which direction does the {thing} (move|go)?
        what happens to the {thing}?
        what happens with the {thing}?
        tell me how the {thing} moves.
        tell me what the {thing} does.
        how is the {thing} moving?
        where is the {thing} going?
        which direction does the {thing} take?
        what is the {thing} doing?
        what is the motion of the {thing}?
        describe the motion of the {thing}.
        the {thing} moves how?""",
        """can you tell how the {thing} moves?
        in what way is the {thing} moving?
        can you say where the {thing} goes?
        say what the {thing} does in the clip.""",
    ),
    "mover": _kind(
        """what {does}?
        which (shape|thing|object) {does}?
        tell me what {does}.
        which one {does}?
        what is it that {does}?
        name the (shape|thing|object) that {does}.
        which (things|shapes|objects) {do}?
        is there (something|anything) that {does}, and what is it?
        what {does} in the (video|clip)?
        say what {does}.""",
        """which of them {does}?
        can you see what {does}?
        what in this (video|clip) {does}?
        find what {does}.""",
    ),
    "check": _kind(
        """does the {thing} {do}?
        is it true that the {thing} {does}?
        the {thing} {does}, right?
        does the {thing} {do} in the (video|clip)?
        do you see that the {thing} {does}?
        tell me if the {thing} {does}.
        is the {thing} the one that {does}?
        is there {a_thing} that {does}?""",
        """would you say the {thing} {does}?
        can you see whether the {thing} {does}?
        i want to know if the {thing} {does}.""",
    ),
    "first": _kind(
        f"""what happens first?
        what happens at first?
        what happens at the beginning?
        what happens at the start of the {_CLIP}?
        how does the {_CLIP} begin?
        how does it begin?
        what comes first?
        what is the first thing that happens?
        what happens in the first scene?
        tell me what happens first.
        first, what happens?
        what does the first scene show?""",
        f"""with what does the {_CLIP} start?
        can you say what happens first?
        what goes on in the first scene?""",
    ),
    "last": _kind(
        f"""what happens then?
        what happens last?
        what happens next?
        what happens after that?
        what happens afterwards?
        what happens at the end?
        what happens at the end of the {_CLIP}?
        how does the {_CLIP} end?
        how does it end?
        what comes last?
        what is the last thing that happens?
        what happens in the second scene?
        what happens in the last scene?
        tell me what happens then.
        tell me what happens at the end.
        what does the second scene show?
        what happens after the cut?""",
        f"""with what does the {_CLIP} end?
        can you say what happens in the end?
        what goes on in the second scene?""",
    ),
    "order": _kind(
        """what comes first, the {thing} or the {other}?
        which comes first, the {thing} or the {other}?
        is the {thing} or the {other} first?
        what is first, the {thing} or the {other}?
        do you see the {thing} or the {other} first?
        which is seen first, the {thing} or the {other}?
        which of the two comes first, the {thing} or the {other}?
        the {thing} or the {other}: which is first?""",
        """can you say what is first, the {thing} or the {other}?
        which one do i see first, the {thing} or the {other}?""",
    ),
    "movers": _kind(
        """how many (things|shapes|objects) move?
        how many (things|shapes|objects) are moving?
        how many (things|shapes|objects) move in the (video|clip)?
        count the moving (things|shapes|objects).
        count the (things|shapes|objects) that move.
        how many of them move?
        how many are moving?
        what is the number of moving (things|shapes|objects)?
        tell me how many (things|shapes|objects) move.""",
        """what number of (things|shapes) is moving?
        can you count what moves?
        how many of the (things|shapes|objects) do move?""",
    ),
    "count": _kind(
        f"""how many {{things}} are there?
        how many {{things}} are in the {_CLIP}?
        how many {{things}} do you see?
        how many {{things}} can you see?
        count the {{things}}.
        count all {{things}}.
        what is the number of {{things}}?
        how many {{things}}?
        tell me how many {{things}} there are.
        how many {{things}} does the {_CLIP} (have|show)?
        give me the number of {{things}}.""",
        f"""can you count the {{things}}?
        how many {{things}} are shown here?
        what number of {{things}} is in the {_CLIP}?""",
    ),
    "scenes": _kind(
        f"""how many scenes are there?
        how many scenes does the {_CLIP} have?
        how many shots are there?
        how many shots does the {_CLIP} have?
        count the scenes.
        count the shots.
        what is the number of scenes?
        of how many scenes is the {_CLIP} made?
        tell me how many scenes there are.""",
        f"""can you count the scenes?
        how many scenes do you see in the {_CLIP}?
        the {_CLIP} has how many scenes?""",
    ),
    "when": _kind(
        """when does the {thing} {do}?
        at what time does the {thing} {do}?
        at which second does the {thing} {do}?
        tell me when the {thing} {does}.
        what is the time when the {thing} {does}?
        the {thing} {does} when?""",
        """can you say when the {thing} {does}?
        at which moment does the {thing} {do}?""",
    ),
    "cut": _kind(
        """when does the scene change?
        when is the cut?
        at what time is the cut?
        where is the cut?
        at which second does the scene change?
        when does the second scene (begin|start)?
        tell me when the scene changes.
        is there a cut, and when?""",
        f"""can you say when the cut is?
        at which moment of the {_CLIP} does the scene change?""",
    ),
    "exist": _kind(
        f"""is there {{a_thing}}?
        is there {{a_thing}} in the {_CLIP}?
        do you see {{a_thing}}?
        can you see {{a_thing}}?
        does the {_CLIP} have {{a_thing}}?
        is {{a_thing}} in the {_CLIP}?
        does the {_CLIP} show {{a_thing}}?
        are there any {{things}}?
        do you see any {{things}}?""",
        f"""does the {_CLIP} contain {{a_thing}}?
        are any {{things}} to be seen?
        can you find {{a_thing}} here?""",
    ),
    "color": _kind(
        """what (color|colour) is the {shape}?
        which (color|colour) is the {shape}?
        what is the (color|colour) of the {shape}?
        tell me the (color|colour) of the {shape}.
        which (color|colour) does the {shape} have?
        what (color|colour) does the {shape} have?
        name the (color|colour) of the {shape}.
        what (color|colour) is the (thing|shape|object) that {does}?
        which (color|colour) is the one that {does}?
        what is the (color|colour) of the (thing|shape|object) that {does}?""",
        """can you tell me what (color|colour) the {shape} is?
        say which (color|colour) the {shape} has.
        what (color|colour) has the (thing|shape) that {does}?""",
    ),
}  # fmt: skip
