"""The tabs for pictures, clips and models, with the shipped detector: what a visitor clicks and sees."""

import os
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from inference_chat import ui
from inference_chat.registry.catalog import ModelRecord
from inference_chat.service import Service
from inference_chat.ui import choice
from inference_chat.ui.choice import able
from tests.browser.pointer import box, drag
from tests.browser.upload import given, there
from tests.media.films import film
from tests.runners.blobs import scene
from tests.server import Server, serving, settings

from .conftest import faultless

ROOT = Path(__file__).parents[2]
INPUTS = ROOT / "examples" / "inputs"
STARTERS = ("detector", "segmenter", "classifier", "vision-chat")
MODELS = ("scene-detector", *(f"starter-{name}" for name in STARTERS))


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
    failed: list[str] = []
    with faultless(browser, viewport={"width": 1200, "height": 900}) as page:
        page.on("response", lambda one: failed.append(one.url) if one.status >= 500 else None)
        yield page
    assert failed == []


def tab(page: Page, server: Server, name: str) -> Locator:
    page.goto(f"{server.url}/?tab={name}")
    return page.locator(f"#tab-{name}")


def ready(place: Locator, model: str) -> None:
    expect(place.get_by_label("Model").locator("visible=true").first).to_have_value(model)
    expect(place.get_by_label("What to do").locator("visible=true").first).not_to_have_value("")


def choose(page: Page, place: Locator, model: str) -> None:
    place.get_by_label("Model").locator("visible=true").first.click()
    page.get_by_role("option", name=model, exact=True).click()


def look(place: Locator) -> None:
    place.get_by_role("button", name="Look", exact=True).click()


def line(place: Locator) -> Locator:
    return place.locator(".ic-status-line").locator("visible=true").first


def test_a_model_named_while_the_list_is_asked_for_stays(
    page: Page, server: Server, monkeypatch: pytest.MonkeyPatch
):
    place = tab(page, server, "image")
    ready(place, "starter-detector")

    written = Event()

    def late(*arguments: Any) -> list[ModelRecord]:
        assert written.wait(60)
        return able(*arguments)

    monkeypatch.setattr(choice, "able", late)
    field = place.get_by_label("Model").locator("visible=true").first
    with page.expect_request("**/run/**") as asked:
        field.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("another")
    page.keyboard.press("Enter")
    written.set()
    list_of = asked.value.response()
    assert list_of
    list_of.finished()
    page.wait_for_timeout(500)  # what would undo it is done by then
    expect(field).to_have_value("another")


def test_a_picture_is_looked_at_and_filtered(page: Page, server: Server):
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    given(place, INPUTS / "scene-3-objects.png")
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
    given(place, tmp_path / "no.png")
    place.get_by_role("button", name="Look", exact=True).click()
    expect(line(place)).to_contain_text("no image file")


def test_what_is_no_picture_is_told_after_an_example_too(page: Page, server: Server, tmp_path: Path):
    (tmp_path / "no.png").write_bytes(b"no picture")
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    place.locator(".gallery-item").locator("visible=true").first.click()
    there(place, "scene-1-objects.png")
    look(place)
    expect(line(place)).to_contain_text("1 found: orange square")
    given(place, tmp_path / "no.png")
    look(place)
    expect(line(place)).to_contain_text("no image file")


def test_many_pictures_are_one_table(page: Page, server: Server):
    place = tab(page, server, "image")
    place.get_by_role("tab", name="Many pictures").first.click()
    ready(place, "starter-detector")
    given(place, INPUTS / "scene-1-objects.png", INPUTS / "scene-2-objects.png")
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
    given(place, INPUTS / "scene-1-objects.png", tmp_path / "cut.png")
    place.get_by_role("button", name="Go through them").click()
    expect(line(place)).to_contain_text("1 pictures, 1 results; 1 could not be read")
    expect(place.get_by_role("gridcell", name="refused: The picture is damaged")).to_be_visible()


def test_lines_and_zones_are_marked_in_a_clip_and_counted(page: Page, server: Server):
    place = tab(page, server, "video")
    ready(place, "starter-detector")
    given(place, INPUTS / "clip-two-shots.mp4")
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
    given(place, INPUTS / "clip-two-shots.mp4")
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
    given(place, INPUTS / "clip-two-shots.mp4")
    place.get_by_label("Model").locator("visible=true").first.click()
    page.get_by_role("option", name="auto").click()
    place.get_by_label("Question").locator("visible=true").fill("What happens?")
    place.get_by_role("button", name="Watch", exact=True).click()
    expect(place.locator(".ic-said-text")).to_contain_text(
        "0:00.0–0:01.5: the orange triangle moves to the right"
    )
    expect(place.locator(".ic-jump", has_text="fade")).to_be_visible()


def test_a_question_about_a_picture_is_answered_with_its_regions(page: Page, server: Server):
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    given(place, INPUTS / "scene-3-objects.png")
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
    given(place, tmp_path / "clip.avi")
    place.get_by_role("button", name="Watch", exact=True).click()
    expect(place.get_by_text("This browser cannot play clips of this format")).to_be_visible()
    expect(place.locator(".ic-cost")).to_be_visible()


def test_a_clip_is_watched(page: Page, server: Server):
    place = tab(page, server, "video")
    ready(place, "starter-detector")
    given(place, INPUTS / "clip-one-shot.mp4")
    place.get_by_role("button", name="Watch", exact=True).click()
    expect(place.locator(".ic-timeline, .ic-found .ic-none").first).to_be_visible()
    expect(place.locator(".ic-clip video")).to_have_js_property("error", None)


def test_the_task_follows_the_model_through_all_kinds(page: Page, server: Server):
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    given(place, INPUTS / "scene-3-objects.png")
    does = place.get_by_label("What to do").locator("visible=true").first
    for model, task in (
        ("starter-segmenter", "Segment"),
        ("starter-vision-chat", "Answer a question"),
        ("starter-classifier", "Classify"),
        ("starter-detector", "Find objects"),
    ):
        choose(page, place, model)
        expect(does).to_have_value(task)
    page.wait_for_timeout(500)  # a request that fails would have by then


def test_a_name_that_fits_nothing_breaks_nothing(page: Page, server: Server):
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    field = place.get_by_label("Model").locator("visible=true").first
    field.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("nobody")
    with page.expect_request_finished(lambda one: "nobody" in (one.post_data or "")):
        page.keyboard.press("Tab")
    expect(field).to_have_value("nobody")
    given(place, INPUTS / "scene-3-objects.png")
    look(place)
    expect(line(place)).to_contain_text("nobody")


def test_questions_about_a_picture_are_a_conversation(page: Page, server: Server):
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    given(place, INPUTS / "scene-3-objects.png")
    choose(page, place, "starter-vision-chat")
    words = place.get_by_label("Question").locator("visible=true")
    for number, question in enumerate(("How many shapes are there?", "What is the background?"), 1):
        words.fill(question)
        words.press("Enter")
        expect(place.locator(".ic-question")).to_have_count(number)
        expect(words).to_have_value("")
    expect(place.locator(".ic-turns .ic-said-text")).to_have_text(["3", "purple"])
    place.get_by_role("button", name="Begin anew").click()
    words.fill("How many hexagons are there?")
    words.press("Enter")
    expect(place.locator(".ic-turns .ic-said-text")).to_have_text(["2"])


def test_what_is_behind_the_objects_is_shown_when_asked_for(page: Page, server: Server):
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    given(place, INPUTS / "scene-3-objects.png")
    choose(page, place, "starter-segmenter")
    expect(place.get_by_label("What to do").locator("visible=true").first).to_have_value("Segment")
    look(place)
    expect(place.locator(".ic-mask")).to_have_count(3)
    expect(line(place)).to_contain_text("3 found")
    place.get_by_role("button", name="background", exact=True).click()
    expect(place.locator(".ic-mask")).to_have_count(4)


def test_a_result_of_before_has_its_boxes_where_they_were(page: Page, server: Server, tmp_path: Path):
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    wide = Image.open(INPUTS / "scene-1-objects.png").resize((512, 256))
    wide.save(tmp_path / "wide.png")
    boxes = place.locator(".ic-box")
    styles = []
    for path in (INPUTS / "scene-3-objects.png", tmp_path / "wide.png"):
        given(place, path)
        look(place)
        expect(boxes).to_have_count(3 if "3" in path.name else 1)
        styles.append(boxes.first.get_attribute("style") or "")
    place.locator(".ic-strip button").nth(1).click()
    expect(boxes).to_have_count(3)
    expect(boxes.first).to_have_attribute("style", styles[0])


def test_a_small_picture_fills_its_place(page: Page, server: Server):
    place = tab(page, server, "image")
    ready(place, "starter-detector")
    given(place, INPUTS / "scene-3-objects.png")
    look(place)
    expect(place.locator(".ic-box")).to_have_count(3)
    canvas = box(place.locator(".ic-canvas").locator("visible=true").first)
    assert canvas["width"] > 400  # the picture has 256 pixels
    names = [box(place.locator(".ic-box span").nth(at)) for at in range(3)]
    assert not any(meet(one, other) for one, other in combinations(names, 2))


def meet(one: FloatRect, other: FloatRect) -> bool:
    apart = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
    return not (apart or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"])


def test_a_question_is_asked_of_each_of_many_pictures(page: Page, server: Server):
    place = tab(page, server, "image")
    place.get_by_role("tab", name="Many pictures").first.click()
    ready(place, "starter-detector")
    given(place, INPUTS / "scene-1-objects.png", INPUTS / "scene-3-objects.png")
    choose(page, place, "starter-vision-chat")
    place.get_by_label("Question for each picture").fill("How many shapes are there?")
    place.get_by_role("button", name="Go through them").click()
    expect(line(place)).to_contain_text("2 pictures, 2 results")
    expect(place.get_by_role("gridcell")).to_have_text(
        ["scene-1-objects.png", "1", "scene-3-objects.png", "3"]
    )


def test_of_many_pictures_it_is_told_which_are_alike(page: Page, server: Server):
    place = tab(page, server, "image")
    place.get_by_role("tab", name="Many pictures").first.click()
    ready(place, "starter-detector")
    given(place, *(INPUTS / f"scene-{number}-objects.png" for number in (1, 3, 4, 5)))
    choose(page, place, "starter-classifier")
    expect(place.get_by_label("What to do").locator("visible=true").first).to_have_value("Classify")
    place.get_by_label("What to do").locator("visible=true").first.click()
    page.get_by_role("option", name="Embed").click()
    place.get_by_role("button", name="Go through them").click()
    expect(line(place)).to_contain_text("4 pictures, 4 results")
    cells = place.get_by_role("gridcell")
    picture = re.compile(r"^\s*scene-")
    expect(cells).to_have_text([picture, picture, re.compile(r"^\s*0\.\d*[1-9]")] * 4)
    names = [cell.strip() for cell in cells.all_inner_texts()]
    assert all(name != like for name, like in zip(names[::3], names[1::3], strict=True))
