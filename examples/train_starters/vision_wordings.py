"""More wordings that starter-vision-chat learns from, for the kinds of question it took for others.

They lie beside those of `questions.py`, which other starters learn to read and hear too. None of them is a
wording that is kept for the test.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from examples.train_starters.chat_data.wording import expand, held_out, lines
from examples.train_starters.questions import plural, with_article

# What capital letters stand for in the file.
_PARTS = {
    "PIC": "(picture|image|scene)",
    "TWO": "(pictures|images|scenes)",
    "SECOND": "(second|other|last|new) (picture|image|one)",
    "SEE": "(do you see|can you see|is there|are there|do you notice|can be seen|do you spot)",
}


@cache
def wordings() -> dict[str, tuple[str, ...]]:
    """Each kind's, with (a|b) choices and {slots}."""
    written = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")
    for name, part in _PARTS.items():
        written = written.replace(name, part)
    sections = (section.partition("]") for section in written.split("[")[1:])
    return {kind: tuple(lines(those)) for kind, _, those in sections}


def wording(rng: random.Random, kind: str, slots: Mapping[str, str], kept: bool = False) -> str | None:
    """A question of this kind in one of these wordings, None where there are none for the kind.

    Every tenth or so is kept out of training, by its text alone; with `kept` it is one of those.
    """
    those = [one for one in wordings().get(kind, ()) if held_out(one) == kept]
    filled = dict(slots)
    if "thing" in slots:
        filled |= {"a_thing": with_article(slots["thing"]), "things": plural(slots["thing"])}
    return expand(rng, rng.choice(those)).format_map(filled) if those else None
