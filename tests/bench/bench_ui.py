"""What the page costs: a 1,000-token answer after 50 messages, watched in Chromium, against the engine alone.

Both sides run in the same process and in turns, on the same conversation and with the same settings.
Run with `python -m tests.bench.bench_ui [rounds]`.
"""

import sys
import time
from statistics import median

from playwright.sync_api import Page, expect, sync_playwright

from inference_chat.chats.chats import Turn
from inference_chat.events import Finished
from tests.bench.answers import MESSAGES, TOKENS, bench_server, by_engine, compared, converse, speed_of
from tests.bench.report import section
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.server import Server

# How long, in seconds, Gradio goes on drawing its first loader after that is gone.
REST = 4.0

# Counts how often the text on the screen has changed.
WATCH = """() => { window.grown = 0; new MutationObserver(() => { window.grown += 1; })
  .observe(document.querySelector('.writing .ic-body'), { childList: true, subtree: true }); }"""


def main(rounds: int) -> None:
    alone, watched, late, often = [], [], [], []
    with bench_server() as server, sync_playwright() as playwright:
        session = converse(server.service)
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page()

        def unseen() -> float:
            page.goto("about:blank")
            return server.call(by_engine(server.service, session))

        for number in range(rounds + 1):
            engine = unseen() if number % 2 else 0.0  # who comes first has it harder on some machines
            page.goto(f"{server.url}/?chat={session}")
            page.locator(".ic[data-ready]").wait_for()
            page.wait_for_load_state("networkidle")  # nobody asks before the other tabs are filled
            page.wait_for_timeout(REST * 1000)
            speed, delay, updates = by_page(server, page, session)
            engine = engine or unseen()
            if number:  # the first round warms up
                alone.append(engine)
                watched.append(speed)
                late.append(delay)
                often.append(updates)
        browser.close()
    section(
        "A watched answer (bench_ui.py)",
        f"{TOKENS:,} tokens after {MESSAGES} messages, the page open in Chromium on the same machine, "
        f"{rounds} rounds in turns.\n\n{compared(alone, watched, 'shown by the page')} "
        f"The page shows new text {median(often):.1f} times a second, and the end "
        f"{median(late) * 1000:,.0f} ms after it is stored.",
    )


def by_page(server: Server, page: Page, session: str) -> tuple[float, float, float]:
    """The speed of an answer that is watched, how much later its end is shown, and updates a second."""
    page.get_by_role("button", name="Answer again").last.click()
    page.locator(".writing").wait_for()
    page.evaluate(WATCH)
    turn = server.service.chats.current(session)
    assert turn is not None
    began = time.monotonic()
    ended = server.call(end_of(turn))
    often = page.evaluate("window.grown") / (ended - began)
    expect(page.locator(".writing")).to_have_count(0, timeout=60_000)
    last = turn.job.events[-1]
    assert isinstance(last, Finished)
    return speed_of(last), time.monotonic() - ended, often


async def end_of(turn: Turn) -> float:
    await turn.finished()
    return time.monotonic()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
