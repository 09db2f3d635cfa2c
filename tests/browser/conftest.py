"""A real browser on the real server with two tiny real models: one that is quick, one that takes its time.

The slow one writes no faster than `BEAT` until a test waits for the end of its answer: whatever the speed of
a machine, it is still writing when a test does something meanwhile.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from inference_chat import ui
from inference_chat.runners.text import TextRunner
from inference_chat.schema import Request
from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings

expect.set_options(timeout=30_000)  # a busy machine is no failure
SLOW_TOKENS = 2000
BEAT = 0.05  # seconds of the slow model for each token, while nobody waits for its end
LONG_ANSWER = 150_000  # milliseconds that its end may take on a busy machine
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


HURRY = Event()


def leisurely(run: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """A runner's `run`, for which the slow model takes its time."""

    def steps(self: TextRunner, request: Request, stop: Event) -> Iterator[Any]:
        for event in run(self, request, stop):
            if self.checkpoint.name == "slow":
                HURRY.wait(BEAT)
            yield event

    return steps


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("page")
    for name, tokens in (("quick", 12), ("slow", SLOW_TOKENS)):
        model = tiny.endless(tiny.build(folder / "models" / name, window=4096, layers=1))
        parameters = {"max_tokens": tokens, "temperature": 0}
        tiny.card(model, name=name, inference_chat={"parameters": parameters})
    service = Service(settings(folder, folder / "models"))
    with (
        pytest.MonkeyPatch.context() as patched,
        serving(service, ui.build(service), **ui.MOUNT) as running,
    ):
        patched.setattr(TextRunner, "run", leisurely(TextRunner.run))
        for name in ("quick", "slow"):
            running.call(service.models.load(name))
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """While it is open, its loop counts as running in this thread, and other modules have their own."""
    with sync_playwright() as playwright:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@contextmanager
def faultless(browser: Browser, timeout: float = 60_000, **how: Any) -> Iterator[Page]:
    """A new page, opened as `how` says, in whose scripts nothing may go wrong; `timeout` in milliseconds."""
    context = browser.new_context(**how)
    context.set_default_timeout(timeout)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert wrong == []


@dataclass
class Chat:
    """The page as a person uses it."""

    page: Page
    url: str

    def open(self, path: str = "/") -> "Chat":
        self.page.goto(self.url + path)
        self.page.locator(".ic[data-ready]").wait_for()
        return self

    def use(self, model: str) -> None:
        self.page.get_by_label("Model", exact=True).select_option(label=model)
        expect(self.page.locator(".ic-said")).to_have_text(f"{model} answers from now on.")

    def say(self, text: str) -> None:
        self.composer.fill(text)
        self.composer.press("Enter")
        expect(self.page.locator(".ic-msg.user").last).to_contain_text(text)

    def ask(self, text: str) -> None:
        """Say something and wait for the whole answer."""
        self.say(text)
        self.answered()

    def answered(self) -> None:
        HURRY.set()
        figures = self.page.locator(".ic-msg.assistant .ic-figures").last
        expect(figures).to_contain_text("tokens/s", timeout=LONG_ANSWER)
        expect(self.page.locator(".writing")).to_have_count(0)
        HURRY.clear()

    @property
    def composer(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message", exact=True)

    @property
    def reply(self) -> Locator:
        """The newest reply's words."""
        return self.page.locator(".ic-msg.assistant .ic-body").last

    @property
    def last_user(self) -> Locator:
        return self.page.locator(".ic-msg.user").last

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).last.click()


@pytest.fixture
def chat(browser: Browser, server: Server) -> Iterator[Chat]:
    """An open page; afterwards nothing may have gone wrong in it, nor anything been fetched elsewhere."""
    how: Any = {"viewport": {"width": 1100, "height": 760}, "accept_downloads": True}
    with faultless(browser, 30_000, **how) as page:
        wrong: list[str] = []
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        own = re.compile(rf"^({re.escape(server.url)}|data:|blob:)")
        page.on("request", lambda request: None if own.match(request.url) else wrong.append(request.url))
        yield Chat(page, server.url).open()
    assert wrong == []
