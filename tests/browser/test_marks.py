"""Marks on a picture: what to cut out, and what to draw anew, with tiny real models of both kinds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from inference_chat import ui
from inference_chat.service import Service
from tests import tiny_vision
from tests.runners import diffusers_models
from tests.server import Server, serving, settings

SCENE = Path(__file__).parents[2] / "examples" / "inputs" / "scene-3-objects.png"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("marks")
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        cutter = tiny_vision.build("SamModel", folder / "cutter")
        painter = diffusers_models.build("StableDiffusion", folder / "painter")
        for name, path in (("cutter", cutter), ("painter", painter)):
            running.call(service.models.register({"name": name, "file_path": str(path)}))
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 1100})
    context.set_default_timeout(60_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{server.url}/?tab=image")
    yield page
    context.close()
    assert wrong == []


def drag(page: Page, place: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + start[0] * width, y + start[1] * height)
    page.mouse.down()
    page.mouse.move(x + end[0] * width, y + end[1] * height, steps=5)
    page.mouse.up()


def settings_of(place: Locator) -> str:
    return place.locator(".ic-cost pre").text_content() or ""


def test_a_box_and_a_point_say_what_to_cut_out(page: Page):
    place = page.locator("#tab-image")
    expect(place.get_by_label("What to do").locator("visible=true").first).to_have_value("Cut out")
    place.locator("input[type=file]").first.set_input_files(SCENE)
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
    marked = place.locator(".ic-markable").locator("visible=true")
    drag(page, marked, (0.3, 0.3), (0.6, 0.3))
    place.get_by_role("button", name="Draw", exact=True).click()
    expect(place.locator(".ic-strip button")).to_have_count(2)
    assert '"mask": "media:' in settings_of(place)
