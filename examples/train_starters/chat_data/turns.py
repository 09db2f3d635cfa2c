"""What a generator yields: turns of a conversation, grouped to dialogues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from examples.train_starters.chat_data.wording import Source


@dataclass(frozen=True)
class Turn:
    """What the user says, the right answer, and the skill it shows.

    `accepted` are other answers that are right too; `open_ended` is a turn with so many that none is counted."""

    user: str
    answer: str
    skill: str
    open_ended: bool = False
    accepted: frozenset[str] = frozenset()


@dataclass
class Dialogue:
    """One conversation, with the system prompt it starts from."""

    turns: list[Turn]
    system: str | None = None
    unseen: bool = field(default=False)

    def messages(self) -> list[dict[str, str]]:
        """The conversation in the form chat templates take."""
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for turn in self.turns:
            messages.append({"role": "user", "content": turn.user})
            messages.append({"role": "assistant", "content": turn.answer})
        return messages


Skill = Callable[[Source], list[Turn]]
