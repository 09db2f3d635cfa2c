"""What the benchmarks of watched answers share: a server, a conversation of 50 messages, the engine alone."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}

from inference_chat import ui
from inference_chat.access import Caller
from inference_chat.events import Finished
from inference_chat.schema import JSON, Message
from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings

MESSAGES = 50
TOKENS = 1000
CALLER = Caller(owner="everyone", address="127.0.0.1")
OPTIONS: JSON = {"max_tokens": TOKENS, "temperature": 0}
SAID = "A sentence with **bold** words, some `code` and a [link](https://example.org) in it."
GOAL = 0.05


@contextmanager
def bench_server() -> Iterator[Server]:
    """A server with its page and a loaded model as quick as starter-chat, that writes on and on."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = tiny.endless(tiny.build(place / "models" / "bench", window=8192, layers=12, width=128))
        tiny.card(model, name="bench", inference_chat={"parameters": OPTIONS})
        service = Service(settings(place, place / "models"))
        with serving(service, ui.build(service), **ui.MOUNT) as server:
            server.call(service.models.load("bench"))
            yield server


def converse(service: Service) -> str:
    """A conversation of 50 messages and one more question with its answer; its id."""
    session = service.sessions.create(CALLER.owner, model="bench@1.0.0")
    parent = None
    for _ in range(MESSAGES // 2 + 1):
        _, reply = service.sessions.add_turn(session.id, SAID, parent_id=parent, model="bench@1.0.0")
        service.sessions.finish(reply.id, status="complete", text=SAID)
        parent = reply.id
    return session.id


async def by_engine(service: Service, session: str) -> float:
    """The engine's own speed on the same messages."""
    path = await service.chats.path(CALLER, session)
    messages = tuple(Message(role=message.role, content=message.content) for message in path[:-1])
    job = await service.infer(CALLER, messages=messages, parameters=OPTIONS, use_cache=False)
    return speed_of((await job.result()).finished)


def speed_of(finished: Finished) -> float:
    assert finished.usage.completion_tokens == TOKENS
    return finished.tokens_per_second or 0.0


def compared(alone: list[float], seen: list[float], label: str) -> str:
    """Both speeds as a table, and the median of what each pair of neighbours differs by."""
    cost = median(1 - one / other for one, other in zip(seen, alone, strict=True))
    return (
        "| | tokens/s |\n|---|---:|\n"
        f"| engine alone | {median(alone):,.0f} |\n| {label} | {median(seen):,.0f} |\n\n"
        f"It costs {cost:.1%}, the median over {len(seen)} pairs (goal: at most {GOAL:.0%}; "
        f"load of the machine while measuring: {os.getloadavg()[0]:.1f})."
    )
