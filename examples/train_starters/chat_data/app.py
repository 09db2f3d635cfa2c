"""Questions about this app, its tabs, and the model itself."""

from __future__ import annotations

from examples.train_starters.chat_data.turns import Turn
from examples.train_starters.chat_data.wording import Source, lines, sections, text

LOAD = "open the Registry tab, enter a folder or a Hub id and press Register"


def _topics(written: str) -> list[tuple[list[str], str]]:
    """Blocks of wordings, each ended by a line `= answer`."""
    topics: list[tuple[list[str], str]] = []
    wordings: list[str] = []
    for line in lines(written):
        if line.startswith("= "):
            topics.append((wordings, line[2:]))
            wordings = []
        else:
            wordings.append(line)
    return topics


TOPICS = _topics(text("app"))
ASKED = "asked"
TABS = sections("tabs")
"""What each tab is asked for, its answer first, and under `ASKED` what any of them is asked."""


def _on(topic: tuple[list[str], str], source: Source) -> Turn:
    wordings, answer = topic
    return Turn(source.say(wordings), answer, "app")


def _on_a_tab(source: Source) -> Turn:
    tab = source.choose([name for name in TABS if name != ASKED])
    answer, *purposes = TABS[tab]
    if source.chance(0.7):
        said = source.say(TABS[ASKED], tab=tab if source.chance(0.5) else tab.lower())
    else:
        said = source.say(purposes)
    return Turn(said, answer.removeprefix("= "), "app")


def talk(source: Source) -> list[Turn]:
    """One to three questions on the app or the model."""
    return [_any(source) for _ in range(source.choose([1, 1, 1, 2, 3]))]


def _any(source: Source) -> Turn:
    if source.chance(0.25):
        return _on_a_tab(source)
    return _on(source.choose(TOPICS[:3] if source.chance(0.22) else TOPICS), source)
