"""What the page costs: a 1,000-token answer after 50 messages, watched in Chromium, against the engine alone.

Both sides run in the same process and in turns, on the same conversation and with the same settings; the
medians are compared. Run with `python -m tests.bench.bench_ui`.
"""

import os
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}

from playwright.sync_api import Page, expect, sync_playwright

from inference_chat import ui
from inference_chat.access import Caller
from inference_chat.chats import Turn
from inference_chat.events import Finished
from inference_chat.schema import JSON, Message
from inference_chat.service import Service
from tests import tiny
from tests.bench.report import section
from tests.browser.conftest import CHROMIUM, FLAGS, endless
from tests.server import Server, serving, settings

ROUNDS = 7
MESSAGES = 50
TOKENS = 1000
OPTIONS: JSON = {"max_tokens": TOKENS, "temperature": 0}
SAID = "A sentence with **bold** words, some `code` and a [link](https://example.org) in it."


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = endless(tiny.build(place / "models" / "bench", window=8192, layers=6, width=128))
        tiny.card(model, name="bench", inference_chat={"parameters": OPTIONS})
        service = Service(settings(place, place / "models"))
        with serving(service, ui.build(service), **ui.MOUNT) as server:
            server.call(service.models.load("bench"))
            report(*measure(server))


def measure(server: Server) -> tuple[list[float], list[float], list[float]]:
    """Tokens per second of the engine alone and under the page, and how late the page was in seconds."""
    caller = Caller(owner="everyone", address="127.0.0.1")
    session = converse(server.service)
    alone, watched, late = [], [], []
    with sync_playwright() as playwright:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page()
        page.goto(f"{server.url}/?chat={session}")
        page.locator(".ic[data-ready]").wait_for()
        for number in range(ROUNDS + 1):
            page.goto("about:blank")
            engine = server.call(by_engine(server.service, caller, session))
            page.goto(f"{server.url}/?chat={session}")
            page.locator(".ic[data-ready]").wait_for()
            speed, delay = by_page(server, page, session)
            if number:  # the first round warms up
                alone.append(engine)
                watched.append(speed)
                late.append(delay)
        browser.close()
    return alone, watched, late


def converse(service: Service) -> str:
    """A conversation of 50 messages and one more question with its answer; its id."""
    session = service.sessions.create("everyone", model="bench@1.0.0")
    parent = None
    for _ in range(MESSAGES // 2 + 1):
        _, reply = service.sessions.add_turn(session.id, SAID, parent_id=parent, model="bench@1.0.0")
        service.sessions.finish(reply.id, status="complete", text=SAID)
        parent = reply.id
    return session.id


async def by_engine(service: Service, caller: Caller, session: str) -> float:
    """The engine's own speed on the same messages."""
    path = await service.chats.path(caller, session)
    messages = tuple(Message(role=message.role, content=message.content) for message in path[:-1])
    job = await service.infer(caller, messages=messages, parameters=OPTIONS, use_cache=False)
    return speed_of((await job.result()).finished)


def by_page(server: Server, page: Page, session: str) -> tuple[float, float]:
    """The speed of an answer that the page shows while it grows, and how much later its end is shown."""
    page.get_by_role("button", name="Answer again").last.click()
    page.locator(".writing").wait_for()
    turn = server.service.chats.current(session)
    assert turn is not None
    ended = server.call(end_of(turn))
    expect(page.locator(".writing")).to_have_count(0, timeout=60_000)
    last = turn.job.events[-1]
    assert isinstance(last, Finished)
    return speed_of(last), time.monotonic() - ended


async def end_of(turn: Turn) -> float:
    await turn.finished()
    return time.monotonic()


def speed_of(finished: Finished) -> float:
    assert finished.usage.completion_tokens == TOKENS
    return finished.tokens_per_second or 0.0


def report(alone: list[float], watched: list[float], late: list[float]) -> None:
    cost = 1 - median(watched) / median(alone)
    section(
        "A watched answer (bench_ui.py)",
        f"{TOKENS:,} tokens after {MESSAGES} messages, the page open in Chromium on the same machine, "
        f"{ROUNDS} rounds in turns, medians.\n\n"
        "| | tokens/s |\n|---|---:|\n"
        f"| engine alone | {median(alone):,.0f} |\n| shown by the page | {median(watched):,.0f} |\n\n"
        f"The page costs {cost:.1%}; it shows the end {median(late) * 1000:,.0f} ms after it is stored.",
    )


if __name__ == "__main__":
    main()
