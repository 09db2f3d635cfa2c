"""What is drawn and filmed in the tabs, and found again after a reload, with tiny real pipelines."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from inference_chat import ui
from inference_chat.errors import StorageFailed
from inference_chat.service import Service
from inference_chat.ui import album
from tests.runners import diffusers_models
from tests.server import Server, serving, settings

from .conftest import faultless
from .pointer import drawn


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("gallery")
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        for name, kind in (("painter", "StableDiffusion"), ("filmer", "AnimateDiff")):
            path = diffusers_models.build(kind, folder / name)
            running.call(service.models.register({"name": name, "file_path": str(path)}))
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with faultless(browser, viewport={"width": 1200, "height": 1100}) as page:
        yield page


def opened(page: Page, server: Server, tab: str, part: str) -> Locator:
    page.goto(f"{server.url}/?tab={tab}")
    place = page.locator(f"#tab-{tab}")
    place.get_by_role("tab", name=part).first.click()
    return place


def make(place: Locator, verb: str, words: str) -> None:
    expect(place.get_by_label("What to do").locator("visible=true").first).not_to_have_value("")
    place.get_by_label(f"What to {verb.lower()}").locator("visible=true").fill(words)
    place.get_by_role("button", name=verb, exact=True).click()
    expect(place.locator(".ic-asked").locator("visible=true")).to_have_text(words)


def test_pictures_are_there_after_a_reload_until_they_are_removed(page: Page, server: Server):
    place = opened(page, server, "image", "Draw")
    for words in ("a red circle", "a blue star"):
        make(place, "Draw", words)
    images = place.locator(".ic-gallery img")
    expect(images).to_have_css("image-rendering", "pixelated")
    expect(images).to_have_css("width", "384px")  # six times 64

    place = opened(page, server, "image", "Draw")
    strip = place.locator(".ic-strip button").locator("visible=true")
    expect(strip).to_have_count(2)
    strip.nth(1).click()
    expect(place.locator(".ic-asked")).to_have_text("a red circle")
    expect(place.locator(".ic-cost pre")).to_contain_text('"seed":')
    place.get_by_role("button", name="Use as input").click()
    expect(place.locator(".ic-status-line").locator("visible=true").first).to_contain_text("what to change")
    place.get_by_role("button", name="Remove", exact=True).click()
    answers = iter((False, True))
    with page.expect_response(lambda one: '"forget"' in (one.request.post_data or "") and next(answers)):
        place.get_by_role("button", name="Remove for good").evaluate(
            "node => { node.click(); node.click(); }"
        )
    drawn(page)
    expect(place.locator(".ic-asked")).to_have_text("a blue star")

    place = opened(page, server, "image", "Draw")
    expect(place.locator(".ic-strip button").locator("visible=true")).to_have_count(1)


def test_what_cannot_be_kept_is_shown_all_the_same(
    page: Page, server: Server, monkeypatch: pytest.MonkeyPatch
):
    async def full(*_: Any) -> None:
        raise StorageFailed("The disk is full.")

    monkeypatch.setattr(album, "keep", full)
    place = opened(page, server, "image", "Draw")
    make(place, "Draw", "a red circle")
    expect(place.locator(".ic-status-line").locator("visible=true").first).to_contain_text(
        "The disk is full."
    )


def test_a_clip_is_there_after_a_reload(page: Page, server: Server):
    make(opened(page, server, "video", "Film"), "Film", "a red circle moves")
    place = opened(page, server, "video", "Film")
    place.locator(".ic-strip button").locator("visible=true").click()
    expect(place.locator(".ic-found video")).to_have_js_property("readyState", 4)
    expect(place.locator(".ic-asked")).to_have_text("a red circle moves")
