"""The tabs for pictures, clips and models, with the shipped detector: what a visitor clicks and sees."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from inference_chat import ui
from inference_chat.registry.catalog import ModelRecord
from inference_chat.service import Service
from inference_chat.ui import choice
from inference_chat.ui.choice import able
from tests.browser.pointer import drag
from tests.media.films import film
from tests.runners.blobs import scene
from tests.server import Server, serving, settings

from .conftest import faultless

ROOT = Path(__file__).parents[2]
INPUTS = ROOT / "examples" / "inputs"
MODELS = ("starter-detector", "scene-detector")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("media-tabs")
    (folder / "models").mkdir()
    for name in MODELS:
        os.symlink(ROOT / "model_cards" / name, folder / "models" / name)
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        running.call(service.models.load("starter-detector"))
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with faultless(browser, viewport={"width": 1200, "height": 900}) as page:
        yield page


def tab(page: Page, server: Server, name: str) -> Locator:
    page.goto(f"{server.url}/?tab={name}")
    return page.locator(f"#tab-{name}")


def ready(place: Locator, model: str) -> None:
    expect(place.get_by_label("Model").locator("visible=true").first).to_have_value(model)
    expect(place.get_by_label("What to do").locator("visible=true").first).not_to_have_value("")


def line(place: Locator) -> Locator:
    return place.locator(".ic-status-line").locator("visible=true").first


def test_a_model_named_while_the_list_is_asked_for_stays(
    page: Page, server: Server, monkeypatch: pytest.MonkeyPatch
):
    place = tab(page, server, "image")
    ready(place, "starter-detector")

    def slowly(*arguments: Any) -> list[ModelRecord]:
        time.sleep(1)
        return able(*arguments)

    monkeypatch.setattr(choice, "able", slowly)
    field = place.get_by_label("Model").locator("visible=true").first
    field.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("another")
    page.keyboard.press("Enter")
    page.wait_for_timeout(2000)  # the list has come by then
    expect(field).to_have_value("another")


def test_a_picture_is_looked_at_and_filtered(page: Page, server: Server):
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    place.locator("input[type=file]").first.set_input_files(INPUTS / "scene-3-objects.png")
    place.get_by_role("button", name="Look", exact=True).click()
    boxes = place.locator(".ic-box")
    expect(boxes).to_have_count(3)
    expect(line(place)).to_contain_text("3 found")
    chip = place.locator(".ic-chips button").locator("visible=true").first
    chip.click()
    expect(boxes).not_to_have_count(3)
    chip.click()
    place.get_by_label("Threshold").fill("1")
    expect(boxes).to_have_count(0)


def test_what_is_no_picture_is_told_in_the_line(page: Page, server: Server, tmp_path: Path):
    (tmp_path / "no.png").write_bytes(b"no picture")
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    place.get_by_role("button", name="Look", exact=True).click()
    expect(line(place)).to_contain_text("Choose a picture first")
    place.locator("input[type=file]").first.set_input_files(tmp_path / "no.png")
    place.get_by_role("button", name="Look", exact=True).click()
    expect(line(place)).to_contain_text("no image file")


def test_many_pictures_are_one_table(page: Page, server: Server):
    place = tab(page, server, "image")
    place.get_by_role("tab", name="Many pictures").first.click()
    ready(place, "starter-detector")
    place.locator("input[type=file][multiple]").set_input_files(
        [INPUTS / "scene-1-objects.png", INPUTS / "scene-2-objects.png"]
    )
    place.get_by_role("button", name="Go through them").click()
    expect(line(place)).to_contain_text("2 pictures, 3 results")
    place.get_by_label("Model").locator("visible=true").first.click()
    expect(page.get_by_role("option", name="starter-detector")).to_be_visible()
    expect(page.get_by_role("option", name="auto")).to_have_count(0)  # it tells of all pictures at once


def test_a_damaged_picture_ends_no_others(page: Page, server: Server, tmp_path: Path):
    (tmp_path / "cut.png").write_bytes((INPUTS / "scene-1-objects.png").read_bytes()[:3000])
    place = tab(page, server, "image")
    place.get_by_role("tab", name="Many pictures").first.click()
    ready(place, "starter-detector")
    place.locator("input[type=file][multiple]").set_input_files(
        [INPUTS / "scene-1-objects.png", tmp_path / "cut.png"]
    )
    place.get_by_role("button", name="Go through them").click()
    expect(line(place)).to_contain_text("1 pictures, 1 results; 1 could not be read")
    expect(place.get_by_role("gridcell", name="refused: The picture is damaged")).to_be_visible()


def test_lines_and_zones_are_marked_in_a_clip_and_counted(page: Page, server: Server):
    place = tab(page, server, "video")
    ready(place, "starter-detector")
    place.locator("input[type=file]").first.set_input_files(INPUTS / "clip-two-shots.mp4")
    place.locator(".ic-clip-marks summary").click()
    marked = place.locator(".ic-markable").locator("visible=true")
    drag(page, marked, (0.3, 0.1), (0.3, 0.9))
    place.get_by_role("radio", name="Zone").click()
    for x, y in ((0.55, 0.5), (0.95, 0.5), (0.95, 0.95), (0.55, 0.95)):
        drag(page, marked, (x, y), (x, y))
    place.get_by_role("button", name="Close the zone").click()
    expect(place.locator(".ic-clip-marks summary")).to_contain_text("1 line · 1 zone")
    before = marked.locator("img").get_attribute("src")
    place.get_by_label("Moment of the clip that is shown").fill("2.5")
    expect(marked.locator("img")).not_to_have_attribute("src", before or "")
    place.get_by_role("button", name="Watch", exact=True).click()
    counted = place.locator(".ic-counted tbody tr")
    expect(counted.nth(0)).to_contain_text("0 in, 1 out")
    expect(counted.nth(1)).to_contain_text("1 in, 0 out")
    expect(place.locator(".ic-curve")).to_have_attribute("aria-label", "Objects over time, at most 4 at once")
    rows = place.locator(".ic-track").locator("visible=true")
    expect(rows).to_have_count(4)
    place.get_by_role("button", name="blue ring", exact=True).click()
    expect(rows).to_have_count(3)
    place.get_by_label("Threshold").locator("visible=true").fill("1")
    expect(rows).to_have_count(0)


def test_scenes_and_tracks_of_a_clip_stand_on_one_timeline(page: Page, server: Server):
    place = tab(page, server, "video")
    ready(place, "starter-detector")
    place.locator("input[type=file]").first.set_input_files(INPUTS / "clip-two-shots.mp4")
    place.get_by_label("Model").locator("visible=true").first.click()
    page.get_by_role("option", name="scene-detector").click()
    expect(place.get_by_label("What to do").locator("visible=true").first).to_have_value("Find scenes")
    place.get_by_role("button", name="Watch", exact=True).click()
    expect(place.locator(".ic-scenes li")).to_have_count(2)
    with page.expect_download() as saved:
        place.get_by_role("button", name="CSV", exact=True).click()
    assert saved.value.path().read_text().splitlines()[:2] == ["scene,start_s,end_s", "1,0,1.75"]
    place.get_by_label("Model").locator("visible=true").first.click()
    page.get_by_role("option", name="starter-detector").click()
    expect(place.get_by_label("What to do").locator("visible=true").first).to_have_value("Track objects")
    place.get_by_role("button", name="Watch", exact=True).click()
    expect(place.locator(".ic-bands button")).to_have_count(2)


def test_what_happens_in_a_clip_is_answered_with_its_moments(page: Page, server: Server):
    place = tab(page, server, "video")
    ready(place, "starter-detector")
    place.locator("input[type=file]").first.set_input_files(INPUTS / "clip-two-shots.mp4")
    place.get_by_label("Model").locator("visible=true").first.click()
    page.get_by_role("option", name="auto").click()
    place.get_by_label("Question").locator("visible=true").fill("What happens?")
    place.get_by_role("button", name="Watch", exact=True).click()
    expect(place.locator(".ic-said-text")).to_contain_text(
        "the orange triangle moves to the right from 0:00.0"
    )
    expect(place.locator(".ic-jump", has_text="fade")).to_be_visible()


def test_a_question_about_a_picture_is_answered_with_its_regions(page: Page, server: Server):
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    place.locator("input[type=file]").first.set_input_files(INPUTS / "scene-3-objects.png")
    place.get_by_label("Model").locator("visible=true").first.click()
    page.get_by_role("option", name="auto").click()
    place.get_by_label("Question").locator("visible=true").fill("How many hexagons are there?")
    place.get_by_role("button", name="Look", exact=True).click()
    expect(place.locator(".ic-said-text")).to_contain_text("2")
    expect(place.locator(".ic-box")).to_have_count(2)


def test_what_the_browser_cannot_play_is_told_and_its_finds_are_shown(
    page: Page, server: Server, tmp_path: Path
):
    pictures = [scene({"red": (20 + 3 * n, 30)}) for n in range(10)]
    (tmp_path / "clip.avi").write_bytes(film(pictures, format="avi", codec="mpeg4"))
    place = tab(page, server, "video")
    ready(place, "starter-detector")
    place.locator("input[type=file]").first.set_input_files(tmp_path / "clip.avi")
    place.get_by_role("button", name="Watch", exact=True).click()
    expect(place.get_by_text("This browser cannot play clips of this format")).to_be_visible()
    expect(place.locator(".ic-cost")).to_be_visible()


def test_a_clip_is_watched(page: Page, server: Server):
    place = tab(page, server, "video")
    ready(place, "starter-detector")
    place.locator("input[type=file]").first.set_input_files(INPUTS / "clip-one-shot.mp4")
    place.get_by_role("button", name="Watch", exact=True).click()
    expect(place.locator(".ic-timeline, .ic-found .ic-none").first).to_be_visible()
    expect(place.locator(".ic-clip video")).to_have_js_property("error", None)
