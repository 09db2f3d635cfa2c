"""Marks on a picture: what to cut out, and what to draw anew, with tiny real models of both kinds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from inference_chat import ui
from inference_chat.service import Service
from tests import tiny_vision
from tests.browser.pointer import drag
from tests.browser.upload import given
from tests.runners import diffusers_models
from tests.server import Server, serving, settings

from .conftest import faultless

INPUTS = Path(__file__).parents[2] / "examples" / "inputs"
SCENE, CLIP = INPUTS / "scene-3-objects.png", INPUTS / "clip-one-shot.mp4"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("marks")
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        cutter = tiny_vision.build("SamModel", folder / "cutter")
        painter = diffusers_models.build("StableDiffusion", folder / "painter")
        follower = tiny_vision.build("Sam2VideoModel", folder / "follower")
        for name, path in (("cutter", cutter), ("follower", follower), ("painter", painter)):
            running.call(service.models.register({"name": name, "file_path": str(path)}))
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with faultless(browser, viewport={"width": 1200, "height": 1100}) as page:
        page.goto(f"{server.url}/?tab=image")
        yield page


def settings_of(place: Locator) -> str:
    return place.locator(".ic-cost pre").text_content() or ""


def test_a_box_and_a_point_say_what_to_cut_out(page: Page):
    place = page.locator("#tab-image")
    expect(place.get_by_label("What to do").locator("visible=true").first).to_have_value("Cut out")
    given(place, SCENE)
    marked = place.locator(".ic-markable").locator("visible=true")
    place.get_by_role("radio", name="Box").click()
    drag(page, marked, (0.2, 0.2), (0.6, 0.7))
    expect(marked.locator(".ic-box")).to_have_count(1)
    place.get_by_role("radio", name="On it").click()
    marked.focus()
    for key in ("ArrowLeft", "ArrowLeft", "Enter", "Enter"):
        page.keyboard.press(key)
    expect(marked.locator(".ic-point.on")).to_have_count(1)
    place.get_by_role("button", name="Look", exact=True).click()
    expect(place.locator(".ic-cost")).to_be_visible()
    told = settings_of(place)
    assert '"boxes": [\n' in told
    assert '"point_labels": [\n' in told


def test_what_is_painted_over_is_drawn_anew_and_can_be_changed_again(page: Page):
    place = page.locator("#tab-image")
    place.get_by_role("tab", name="Draw").first.click()
    expect(place.get_by_label("What to do").locator("visible=true").first).to_have_value("Draw from words")
    place.get_by_label("What to draw").fill("goldfish")
    place.get_by_role("button", name="Draw", exact=True).click()
    place.get_by_role("button", name="Use as input").click()
    expect(place.get_by_label("What to do").locator("visible=true").first).to_have_value("Change a picture")
    expect(place.get_by_label("strength").first).to_be_attached()
    expect(place.locator(".image-frame img").locator("visible=true")).to_have_js_property("complete", True)
    marked = place.locator(".ic-markable").locator("visible=true")
    drag(page, marked, (0.3, 0.3), (0.6, 0.3))
    place.get_by_role("button", name="Draw", exact=True).click()
    expect(place.locator(".ic-strip button")).to_have_count(2)
    assert '"mask": "media:' in settings_of(place)


def test_what_is_shown_in_a_frame_of_a_clip_is_followed(page: Page):
    page.get_by_role("tab", name="Video", exact=True).click()
    place = page.locator("#tab-video")
    expect(place.get_by_label("What to do").locator("visible=true").first).to_have_value("Track objects")
    given(place, CLIP)
    marked = place.locator(".ic-markable").locator("visible=true")
    before = marked.locator("img").get_attribute("src") or ""
    place.get_by_label("Moment of the clip that is shown").fill("0.5")
    expect(place.locator(".ic-clip-marks output")).to_have_text("0.50 s")
    expect(marked.locator("img")).not_to_have_attribute("src", before)
    place.get_by_role("radio", name="Box around it").click()
    drag(page, marked, (0.2, 0.2), (0.6, 0.7))
    expect(place.locator(".ic-clip-marks summary")).to_contain_text("what to follow is shown at 0.50 s")
    place.get_by_role("button", name="Watch", exact=True).click()
    expect(place.locator(".ic-cost")).to_be_visible()
    told = settings_of(place)
    assert '"at_s": 0.5' in told
    assert '"boxes": [\n' in told
