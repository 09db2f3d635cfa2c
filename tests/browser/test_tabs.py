"""The bar of tabs, and a tab of Gradio's own components beside the chat."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Browser, Page, expect

from inference_chat import ui
from inference_chat.service import Service
from inference_chat.ui import chat, parts
from tests.server import Server, one_model, serving, settings

from .conftest import faultless


def another(service: Service) -> None:
    """A tab as tabs are written, longer than the window."""
    parts.heading("Another", "It says what it was told.")
    text, line, answer = gr.Textbox(label="Words"), parts.status(), gr.Textbox(label="Answer")
    go = gr.Button("Go", variant="primary")
    parts.examples([["one two"]], [text])
    gr.HTML("<div style='height: 1500px'></div>")

    async def ask(request: gr.Request, words: str) -> AsyncIterator[Any]:
        caller = parts.caller(service, request)
        job = await service.infer(caller, prompt=words, parameters={"max_tokens": 5, "temperature": 0})
        async for said in parts.working(job):
            yield said, gr.skip()
        yield parts.done("It is done."), (await job.result()).text

    go.click(parts.told(ask, others=1), text, [line, answer], **parts.EVENT)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tabs")
    service = Service(settings(folder, one_model(folder / "models", tiny_llama)))
    tabs = {"Chat": chat.build, "Another": another} | {f"More {number}": another for number in range(9)}
    with serving(service, ui.build(service, tabs), **ui.MOUNT) as running:
        running.call(service.models.load("tiny-llama"))
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with faultless(browser, 30_000, viewport={"width": 1100, "height": 700}, color_scheme="light") as page:
        page.goto(server.url)
        page.locator(".ic[data-ready]").wait_for()
        yield page


SCROLLS = "document.documentElement.scrollHeight > innerHeight"
BACKGROUND = "node => getComputedStyle(node).backgroundColor"


@pytest.mark.parametrize("size", [{"width": 1100, "height": 700}, {"width": 375, "height": 667}])
def test_the_chat_fills_the_window_and_others_scroll(page: Page, size: Any):
    page.set_viewport_size(size)
    page.reload()
    page.locator(".ic[data-ready]").wait_for()
    page.wait_for_function(f"!({SCROLLS})")
    expect(page.get_by_role("textbox", name="Message")).to_be_in_viewport(ratio=1)
    page.get_by_role("tab", name="Another").click()
    expect(page.get_by_role("heading", name="Another")).to_be_in_viewport()
    page.wait_for_function(SCROLLS)
    page.mouse.wheel(0, 900)
    expect(page.get_by_role("heading", name="Another")).not_to_be_in_viewport()
    expect(page.get_by_role("tab", name="Another")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_a_tab_works_tells_and_refuses(page: Page):
    page.get_by_role("tab", name="Another").click()
    page.get_by_text("one two").locator("visible=true").click()
    expect(page.get_by_label("Words").locator("visible=true")).to_have_value("one two")
    page.get_by_role("button", name="Go").click()
    line = page.locator(".block.ic-status-line").locator("visible=true")
    expect(line).to_have_text("It is done.")
    expect(page.get_by_label("Answer").locator("visible=true")).not_to_have_value("")
    page.get_by_label("Words").locator("visible=true").fill("")
    page.get_by_role("button", name="Go").click()
    expect(line).to_contain_text("The input is empty")


def test_the_address_names_the_tab(page: Page):
    page.get_by_role("tab", name="Another").click()
    page.wait_for_url("**/?tab=another")
    page.reload()
    expect(page.get_by_role("heading", name="Another")).to_be_visible()
    page.get_by_role("tab", name="Chat").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
    page.wait_for_url(lambda url: "tab=" not in url)


def test_an_answer_goes_on_behind_another_tab(page: Page):
    page.get_by_role("textbox", name="Message").fill("Hello")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="Another").click()
    page.get_by_role("tab", name="Chat").click()
    expect(page.locator(".ic-figures")).to_contain_text("tokens")


def test_light_and_dark_are_switched_everywhere_and_remembered(page: Page):
    page.get_by_role("tab", name="Another").click()
    places = [page.locator("gradio-app"), page.locator("#tab-another .block:has(textarea)").first]
    light = [place.evaluate(BACKGROUND) for place in places]
    page.get_by_role("button", name="Switch between light and dark").click()
    for place in places:
        for colour in light:
            expect(place).not_to_have_css("background-color", colour)
    page.reload()
    expect(page.locator("body")).to_have_class("dark")


def test_tabs_that_do_not_fit_are_in_a_menu(page: Page):
    page.set_viewport_size({"width": 375, "height": 667})
    page.get_by_role("button", name="More tabs").click()
    page.locator(".overflow-dropdown").get_by_text("More 8").click()
    page.wait_for_url("**/?tab=more-8")
    page.reload()
    expect(page.locator('[data-tab-id="more-8"][aria-selected=true]')).to_be_visible()
