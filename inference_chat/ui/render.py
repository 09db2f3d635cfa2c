"""What the page shows of a message: its blocks of HTML, its figures, and a reply while it is written."""

from dataclasses import dataclass, field
from html import escape
from typing import assert_never

from ..events import (
    AudioReady,
    Event,
    Finished,
    Footage,
    ImageReady,
    Labels,
    Phase,
    Progress,
    Span,
    Step,
    TextDelta,
    ToolCallDelta,
    Vector,
    VideoReady,
)
from ..schema import JSON
from ..sessions.messages import ChatMessage
from .attach import files_of
from .markdown import Growing, render

THINK, END_THINK = "<think>", "</think>"


def reasoning(text: str) -> tuple[str, str, bool]:
    """The reasoning at the start of a reply, the answer after it, and whether the reasoning is over."""
    stripped = text.lstrip()
    before, ended, after = text.partition(END_THINK)
    if ended and (stripped.startswith(THINK) or THINK not in before):
        return before.replace(THINK, "", 1).strip(), after.lstrip(), True
    if stripped.startswith(THINK):
        return stripped.removeprefix(THINK).strip(), "", False
    return "", text, True


def folded(thoughts: str, *, over: bool = True) -> str:
    """Reasoning as a line that unfolds."""
    title = "Reasoning" if over else "Reasoning…"
    body = f'<div dir="auto">{escape(thoughts)}</div>'
    return f'<details class="ic-think"><summary>{title}</summary>{body}</details>'


def blocks(text: str) -> list[str]:
    """A whole reply as HTML, block by block."""
    thoughts, answer, over = reasoning(text)
    return [folded(thoughts, over=over)] * bool(thoughts) + list(render(answer))


@dataclass
class Live:
    """A reply being written: it takes events and knows what to show of them."""

    text: str = ""
    phase: Phase = "queued"
    detail: str = ""
    fraction: float | None = None
    over: bool = False
    seen: int = 0
    steps: dict[int, Step] = field(default_factory=dict)
    _growing: Growing = field(default_factory=Growing, repr=False)

    def take(self, events: list[Event]) -> None:
        """Take those of `events`, a job's whole log so far, that are new."""
        for event in events[self.seen :]:
            self._add(event)
        self.seen = len(events)

    def shown(self, have: int) -> JSON:
        """What the page needs that holds `have` blocks which do not change any more."""
        html, finished = self._blocks()
        have = min(have, finished)
        return {
            "phase": self.phase,
            "detail": self.detail,
            "fraction": self.fraction,
            "from": have,
            "finished": finished,
            "blocks": html[have:],
            "seen": self.seen,
            "steps": [step_view(step) for step in self.steps.values()],
        }

    def _add(self, event: Event) -> None:
        match event:
            case Progress():
                self.phase, self.detail, self.fraction = event.phase, event.detail, event.fraction
            case TextDelta():
                self.phase, self.detail, self.fraction = "answering", "", None
                self.text += event.text if event.choice == 0 else ""
            case Step():
                self.steps[event.step] = event
            case ToolCallDelta():
                pass  # only programs give tools
            case Labels() | Span() | Footage() | Vector() | ImageReady() | VideoReady() | AudioReady():
                pass  # a conversation shows text; other tabs show these
            case Finished():
                self.over = True
            case _:
                assert_never(event)

    def _blocks(self) -> tuple[list[str], int]:
        thoughts, answer, over = reasoning(self.text)
        if not over:
            return [folded(thoughts, over=False)] * bool(thoughts), 0
        head = [folded(thoughts)] * bool(thoughts)
        body = self._growing.blocks(answer)
        return head + body, len(head) + len(self._growing.finished)


def message_view(message: ChatMessage) -> JSON:
    """A stored message as the page takes it; a person's own words are sent as they are, not as HTML."""
    return {
        "id": message.id,
        "parent": message.parent_id,
        "role": message.role,
        "text": message.text,
        "files": files_of(message.content),
        "plan": (message.receipt or {}).get("plan") or [],
        "sources": (message.receipt or {}).get("sources") or [],
        "blocks": blocks(message.text) if message.role == "assistant" else [],
        "model": message.model,
        "status": message.status,
        "finish_reason": message.finish_reason,
        "figures": figures(message),
        "notes": list(message.notes),
        "error": message.error,
        "feedback": message.feedback,
        "siblings": list(message.siblings),
        "created_at": message.created_at.isoformat(),
    }


def step_view(step: Step) -> JSON:
    """A step of a plan as the page lists it."""
    return step.model_dump(mode="json", exclude={"type"})


def figures(message: ChatMessage) -> str:
    """Tokens, speed and time to the first token, as one line."""
    usage, timing = message.usage, message.timing
    if usage is None or timing is None:
        return ""
    if not usage.completion_tokens:
        return f"total {seconds(timing.total_ms)}"
    parts = [f"{usage.completion_tokens:,} tokens"]
    if usage.completion_tokens > 1 and timing.decode_ms > 0:
        parts.append(f"{(usage.completion_tokens - 1) / timing.decode_ms * 1000:,.1f} tokens/s")
    if timing.first_token_ms is not None:
        parts.append(f"first token {seconds(timing.first_token_ms)}")
    parts.append(f"total {seconds(timing.total_ms)}")
    parts.append(f"prompt {usage.prompt_tokens:,} tokens")
    return " · ".join(parts)


def seconds(milliseconds: float) -> str:
    """A duration as people read it."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
