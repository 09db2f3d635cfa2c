"""A real browser on the real server with two tiny real models: one that is quick, one that takes its time."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from inference_chat import ui
from inference_chat.service import Service
from tests import tiny
from tests.server import Server, serving, settings

expect.set_options(timeout=30_000)  # a busy machine is no failure
SLOW_TOKENS = 2000  # long enough that a page can be loaded again meanwhile
LONG_ANSWER = 150_000  # milliseconds that the slow model may write on a busy machine
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("page")
    for name, layers, tokens in (("quick", 1, 12), ("slow", 16, SLOW_TOKENS)):
        model = tiny.endless(tiny.build(folder / "models" / name, window=4096, layers=layers))
        parameters = {"max_tokens": tokens, "temperature": 0}
        tiny.card(model, name=name, inference_chat={"parameters": parameters})
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
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
        figures = self.page.locator(".ic-msg.assistant .ic-figures").last
        expect(figures).to_contain_text("tokens/s", timeout=LONG_ANSWER)
        expect(self.page.locator(".writing")).to_have_count(0)

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
