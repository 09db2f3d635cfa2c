"""The dashboard, an evaluation and a look inside, as a person uses them, with tiny real models."""

import asyncio
import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from inference_chat import ui
from inference_chat.records import Run
from inference_chat.schema import now
from inference_chat.service import Service
from inference_chat.ui import chat, dashboard, evaluate, inside
from tests import tiny
from tests.browser.pointer import box
from tests.browser.upload import given
from tests.runners.diffusers_models import build
from tests.runners.text_families import bert
from tests.server import Server, serving, settings

from .conftest import faultless

TABS = {"Chat": chat.build, "Evaluate": evaluate.build, "Inside": inside.build, "Dashboard": dashboard.build}


OBSERVED = """(selector) => new Promise((told) => {
    new IntersectionObserver(told).observe(document.querySelector(selector)); })"""
"""Observers that have been there before know by then what is to be seen."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("figures")
    for name in ("left", "right"):
        tiny.card(bert(folder / "models" / name), name, pipeline_tag="text-classification")
    tiny.card(tiny.build(folder / "models" / "writer"), "writer")
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service, TABS), **ui.MOUNT) as running:
        running.call(service.models.load("writer"))
        yield running


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("StableDiffusion", tmp_path_factory.mktemp("painter") / "painter")


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with faultless(browser, 30_000, viewport={"width": 1100, "height": 900}, color_scheme="light") as page:
        yield page


def opened(page: Page, server: Server, tab: str) -> None:
    page.goto(f"{server.url}/?tab={tab}")
    expect(page.get_by_role("heading", name=tab.capitalize(), exact=True)).to_be_visible()


def test_the_dashboard_says_what_to_do_then_shows_what_ran_and_what_failed(page: Page, server: Server):
    opened(page, server, "dashboard")
    expect(page.get_by_text("Nothing has run in the last hour.")).to_be_visible()
    run = {"model": "writer@1.0.0", "task": "text-generation", "started_at": now(), "total_ms": 250}
    server.call(asyncio.to_thread(server.service.records.add, Run(**run)))
    server.call(asyncio.to_thread(server.service.records.add, Run(**run, error="timeout")))
    expect(page.locator(".ic-chart svg")).to_have_count(4)
    row = page.get_by_role("row", name="writer@1.0.0").first
    expect(row).to_contain_text("250 ms")
    page.locator("summary", has_text="timeout").click()
    expect(page.get_by_role("region", name="timeout by model")).to_contain_text("text-generation")
    page.set_viewport_size({"width": 375, "height": 700})
    right = "document.querySelector('{}').getBoundingClientRect().right"
    inner, outer = right.format(".ic-tiles"), right.format(".ic-dash")
    page.wait_for_function(f"{inner} <= {outer} && {outer} <= 375")  # what is open in it makes nothing wider
    page.set_viewport_size({"width": 1100, "height": 900})
    page.get_by_role("button", name="Last week").click()
    expect(page.get_by_role("button", name="Last week")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("in each 2 hours")).to_be_visible()
    page.locator(".ic-chart").first.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".ic-tip").first).to_contain_text("requests 2")


def test_a_dashboard_behind_another_tab_asks_for_nothing(page: Page, server: Server):
    opened(page, server, "dashboard")
    page.get_by_role("tab", name="Chat").click()
    page.locator(".ic[data-ready]").wait_for()
    page.evaluate(OBSERVED, ".ic-dash")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(5500)
    assert not [url for url in asked if "component_server" in url]


def test_a_set_is_evaluated_and_shown(page: Page, server: Server, tmp_path: Path):
    with (tmp_path / "words.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerows(
            [
                ("text", "label"),
                *((f"word {number}", ("glad", "sad")[number % 2]) for number in range(15)),
                ("lone", ""),
            ]
        )
    opened(page, server, "evaluate")
    page.get_by_label("Labelled set").click()
    page.get_by_role("option", name="A file of mine").click()
    given(page.locator("#tab-evaluate"), tmp_path / "words.csv")
    page.get_by_label("Models", exact=True).click()
    page.get_by_role("option", name="right@1.0.0").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.locator(".ic-eval .dot")).to_have_count(2)
    expect(page.get_by_role("region", name="Every measure")).to_contain_text("best choice")
    expect(page.locator(".ic-eval")).to_contain_text("1 row was left out: row 16 has no `label`")


def test_an_answer_goes_on_from_another_token(page: Page, server: Server):
    opened(page, server, "inside")
    expect(page.get_by_label("Model that writes")).to_have_value("writer")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.get_by_text("likely on average")).to_be_visible()
    tokens = page.locator(".ic-token")
    first = tokens.nth(0).inner_text()
    tokens.nth(2).click()
    page.locator(".ic-others button").nth(3).click()
    expect(page.locator(".ic-token.chosen")).to_have_count(1)
    expect(page.get_by_text("likely on average")).to_be_visible()
    expect(tokens.nth(0)).to_have_text(first, use_inner_text=True)
    page.get_by_role("button", name="Split", exact=True).click()
    expect(page.get_by_text("tokens for 71 characters")).to_be_visible()
    expect(page.locator(".ic-piece").first).to_have_attribute("title", re.compile(r"^\d+: H$"))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_picture_is_followed_out_of_its_noise(page: Page, server: Server, painter: Path):
    opened(page, server, "inside")
    expect(page.get_by_text("No model here draws yet")).to_be_visible()
    server.call(server.service.models.register({"name": "painter", "file_path": str(painter)}))
    opened(page, server, "inside")
    expect(page.get_by_label("Model that draws")).to_have_value("painter")
    page.get_by_label("Steps").first.fill("4")
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.get_by_text("4 steps; drag the slider")).to_be_visible()
    expect(page.get_by_text("The picture", exact=True)).to_be_visible()
    film = page.locator(".ic-film img")
    whole = film.get_attribute("src")
    page.get_by_label("Step", exact=True).fill("0")
    expect(page.get_by_text("Step 1 of 4")).to_be_visible()
    noisy = film.get_attribute("src")
    page.get_by_role("button", name="What the model expects").click()
    assert len({whole, noisy, film.get_attribute("src")}) == 3
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_text("The picture", exact=True)).to_be_visible()


@pytest.mark.parametrize("wide", [620, 330])
def test_no_name_in_a_chart_lies_over_another(page: Page, wide: int):
    """Ten models of nearly the same speed and accuracy, at the upper edge."""
    script = (Path(ui.__file__).parent / "assets" / "chart.js").read_text("utf-8")
    dots = [{"x": 90 + 2 * number, "y": 24 + number % 3, "r": 9, "width": 110} for number in range(10)]
    places = page.evaluate(f"(dots) => {{ {script}; return namesAt(dots, {wide}, 230); }}", dots)
    for at, one in enumerate(places):
        assert one["left"] >= 0
        assert one["right"] <= wide
        for other in places[:at]:
            apart = one["right"] <= other["left"] or other["right"] <= one["left"]
            assert apart or one["bottom"] <= other["top"] or other["bottom"] <= one["top"]


def test_on_a_phone_the_names_of_models_leave_room_for_their_figures(page: Page, server: Server):
    """A long one in the table of the dashboard."""
    run = {"task": "text-generation", "started_at": now(), "total_ms": 250}
    name = "a-model-with-a-name-of-many-words@1.0.0"
    server.call(asyncio.to_thread(server.service.records.add, Run(model=name, **run)))
    page.set_viewport_size({"width": 390, "height": 800})
    opened(page, server, "dashboard")
    row = page.locator(".ic-wide tbody tr").filter(has_text=name)
    figure = box(row.locator("td").first)
    assert row.locator("th").evaluate("node => node.scrollWidth <= node.clientWidth")
    assert figure["x"] + figure["width"] <= 390
