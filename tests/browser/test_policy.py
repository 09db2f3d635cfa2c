"""What the browser is told to refuse: nothing that the page needs, and everything from elsewhere."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from inference_chat import ui
from tests.server import Server


@pytest.fixture
def page(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    context = browser.new_context(viewport={"width": 1100, "height": 760})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page, said
    context.close()


def test_no_tab_needs_what_the_policy_forbids(page: tuple[Page, list[str]], server: Server):
    shown, said = page
    shown.goto(server.url)
    shown.locator(".ic[data-ready]").wait_for()
    for title in ui.TABS:
        shown.get_by_role("tab", name=title, exact=True).first.click()
        shown.locator(f"#tab-{title.lower().replace(' ', '-')}").wait_for()
    shown.wait_for_timeout(500)
    assert said == []


def test_the_routes_are_shown_without_any_other_server(page: tuple[Page, list[str]], server: Server):
    shown, said = page
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(f"{server.url}/docs")
    shown.locator("#operations-inference-infer_text").wait_for()
    shown.locator("#operations-inference-infer_text button").first.click()
    shown.get_by_role("button", name="Try it out").wait_for()
    assert [url for url in asked if not url.startswith((server.url, "data:"))] == []
    assert said == []


@pytest.mark.parametrize(
    "deed",
    [
        "fetch('http://127.0.0.1:1/x.js').catch(() => {})",
        "document.head.append(Object.assign(document.createElement('script'), {src: 'http://127.0.0.1:1/x.js'}))",
    ],
    ids=["report", "script"],
)
def test_scripts_and_reports_stay_here(page: tuple[Page, list[str]], server: Server, deed: str):
    shown, _ = page
    shown.goto(server.url)
    with shown.expect_console_message(
        lambda line: "Content Security Policy" in line.text and "http://127.0.0.1:1/x.js" in line.text
    ):
        shown.evaluate(deed)
