"""The Compare tab: answers side by side, blind votes, what differs, and which model to use."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from inference_chat import ui
from inference_chat.service import Service
from inference_chat.ui import compare, image
from inference_chat.ui.choice import defaults
from tests import tiny, tiny_vision
from tests.runners.diffusers_models import build
from tests.server import Server, serving, settings

from .conftest import faultless
from .pointer import box, drawn

PICTURE = Path(__file__).parents[2] / "examples" / "inputs" / "scene-3-objects.png"
CHAT = "task=text-generation&model=one&model=two"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("compare-tab")
    for seed, name in enumerate(("one", "two")):
        model = tiny.build(folder / "models" / name, seed=seed)
        tiny.card(model, name=name, inference_chat={"parameters": {"max_tokens": 12, "temperature": 0}})
    tiny.card(tiny.build(folder / "models" / "short", window=16, layers=1, width=32), name="short")
    for name in ("DPTForDepthEstimation", "GLPNForDepthEstimation", "DetrForObjectDetection"):
        tiny_vision.build(name, folder / "models" / name.lower())
    service = Service(settings(folder, folder / "models"))
    tabs = {"Compare": compare.build, "Image": image.build}
    with serving(service, ui.build(service, tabs), **ui.MOUNT) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with faultless(browser, viewport={"width": 1200, "height": 900}, accept_downloads=True) as page:
        yield page


def opened(page: Page, server: Server, query: str) -> Locator:
    page.goto(f"{server.url}/?tab=compare&{query}")
    place = page.locator("#tab-compare")
    expect(place.get_by_role("button", name="Remove one").or_(place.locator(".token"))).not_to_have_count(0)
    return place


def asked(place: Locator, text: str = "Hello") -> None:
    place.get_by_label("Text", exact=True).fill(text)
    place.get_by_role("button", name="Compare", exact=True).click()


def columns(place: Locator) -> Locator:
    return place.locator(".ic-column")


def test_two_answers_stand_side_by_side_and_are_taken_away(page: Page, server: Server):
    place = opened(page, server, CHAT)
    asked(place)
    expect(place.locator(".ic-agree")).to_contain_text("of the words are the same")
    expect(columns(place)).to_have_count(2)
    expect(columns(place).first).to_contain_text("tokens/s")
    expect(place.locator(".ic-column mark").first).to_be_visible()
    with page.expect_download() as taken:
        place.get_by_role("button", name="CSV").click()
    assert taken.value.path().read_text().startswith("model,status")


def test_blind_names_come_with_the_vote(page: Page, server: Server):
    place = opened(page, server, CHAT)
    place.get_by_label("Blind").check()
    asked(place)
    expect(place.get_by_text("Vote to see which is which")).to_be_visible()
    assert "@1.0.0" not in columns(place).first.inner_text() + place.locator(".ic-agree").inner_text()
    place.get_by_role("button", name="Tie").focus()
    page.keyboard.press("1")
    expect(place.locator(".ic-ballot")).to_contain_text("is better.")
    expect(columns(place).first).to_contain_text("@1.0.0")
    place.get_by_role("tab", name="Ratings").click()
    place.get_by_role("button", name="Count again").click()
    expect(place.locator(".ic-ratings tbody tr")).to_have_count(2)


def test_a_vote_before_the_run_has_ended_stays(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    """Gradio gives the last value once more when the run is over."""
    late = asyncio.Event()

    run = compare._Panel._compare

    @wraps(run)
    async def ends_late(*given: Any) -> AsyncIterator[Any]:
        async for values in run(*given):
            yield values
        await late.wait()

    monkeypatch.setattr(compare._Panel, "_compare", ends_late)
    folder = tmp_path_factory.mktemp("late")
    for name in ("one", "two"):
        tiny.card(tiny.build(folder / "models" / name), name=name)
    service = Service(settings(folder, folder / "models"))
    with (
        serving(service, ui.build(service, {"Compare": compare.build}), **ui.MOUNT) as server,
        faultless(browser) as page,
    ):
        place = opened(page, server, CHAT)
        place.get_by_label("Blind").check()
        asked(place)
        place.get_by_role("button", name="Tie").click()
        expect(place.locator(".ic-ballot")).to_have_text("Kept: tie.")
        server.loop.call_soon_threadsafe(late.set)
        page.wait_for_timeout(2000)  # what would undo it has come by then
        expect(place.locator(".ic-ballot")).to_have_text("Kept: tie.")
        expect(columns(place).first).to_contain_text("@1.0.0")


def test_a_second_click_is_no_second_vote(page: Page, server: Server):
    votes: list[str] = []
    page.on(
        "request",
        lambda request: votes.append(request.url) if '"vote"' in (request.post_data or "") else None,
    )
    place = opened(page, server, CHAT)
    asked(place)
    place.get_by_role("button", name="Tie").evaluate("node => { node.click(); node.click(); }")
    expect(place.locator(".ic-ballot")).to_have_text("Kept: tie.")
    assert len(votes) == 1


def test_a_vote_that_is_kept_late_finds_its_answers_gone(page: Page, server: Server):
    late: list[Route] = []
    place = opened(page, server, "task=text-generation&model=one&model=short")
    asked(place)
    page.route(
        re.compile("component_server"),
        lambda route: (
            late.append(route) if '"vote"' in (route.request.post_data or "") else route.continue_()
        ),
    )
    place.get_by_role("button", name="Tie").click()
    asked(place, "This is longer than the window of the smaller of the two.")
    expect(columns(place).last).to_contain_text("tokens")
    expect(place.locator(".ic-ballot")).to_have_count(0)
    with page.expect_response(re.compile("component_server")):
        late[0].continue_()
    drawn(page)
    expect(place.locator(".ic-ballot")).to_have_count(0)


def test_a_bad_model_spoils_only_its_column(page: Page, server: Server):
    place = opened(page, server, CHAT)
    models = place.get_by_role("listbox", name="Models").or_(place.get_by_label("Models"))
    models.first.click()
    page.keyboard.type("nobody")
    page.keyboard.press("Enter")
    asked(place)
    expect(columns(place)).to_have_count(3)
    expect(columns(place).last).to_contain_text("There is no model 'nobody'")
    expect(columns(place).first).to_contain_text("tokens/s")
    votes = place.locator(".ic-ballot button")
    expect(votes).to_have_text(["one@1.0.0 is better", "two@1.0.0 is better", "Tie", "Both bad"])


def test_a_model_that_did_not_answer_is_best_in_nothing(page: Page, server: Server):
    place = opened(page, server, f"{CHAT}&model=short")
    asked(place, "This is longer than the window of the smallest of the three.")
    expect(columns(place)).to_have_count(3)
    row = place.locator(".ic-together tbody tr").filter(has_text="short")
    expect(row).to_contain_text("MiB")
    expect(row.locator("b")).to_have_count(0)
    expect(place.locator(".ic-together tbody b")).not_to_have_count(0)


def test_nothing_to_compare_is_told_in_the_pages_own_words(page: Page, server: Server):
    place = opened(page, server, CHAT)
    asked(place, "  ")
    expect(place).to_contain_text("There is nothing to compare yet: write a text, or click an example.")


def test_models_named_at_once_stay(page: Page, server: Server, monkeypatch: pytest.MonkeyPatch):
    def slowly(*arguments: Any) -> dict[str, Any]:
        time.sleep(1)
        return defaults(*arguments)

    monkeypatch.setattr(compare, "defaults", slowly)
    place = opened(page, server, CHAT)
    place.get_by_label("Models").first.click()
    page.keyboard.type("nobody")
    page.keyboard.press("Enter")
    page.wait_for_timeout(2000)  # what would undo it has come by then
    expect(place.locator(".token")).to_have_text(["one", "two", "nobody"])


def test_a_task_chosen_while_the_one_before_is_looked_up_counts(
    page: Page, server: Server, monkeypatch: pytest.MonkeyPatch
):
    names, slow = compare._Panel._names, [1.5]

    def found(*given: Any) -> list[str]:
        time.sleep(slow.pop() if slow else 0)
        return names(*given)

    place = opened(page, server, CHAT)
    monkeypatch.setattr(compare._Panel, "_names", found)
    for task in ("Object detection", "Depth estimation"):
        place.get_by_label("Task").first.click()
        page.keyboard.press("Control+A")
        page.keyboard.type(task)
        page.keyboard.press("Enter")
    expect(place.locator(".token").first).to_have_text(re.compile("dptfordepthestimation"))


def test_two_maps_lie_one_over_the_other_on_a_phone_too(page: Page, server: Server):
    page.set_viewport_size({"width": 375, "height": 700})
    place = opened(page, server, "task=depth-estimation")
    expect(place.get_by_text("Click to Upload").locator("visible=true")).to_have_count(1)
    place.locator("input[type=file]").first.set_input_files(PICTURE)
    expect(place.locator("[data-testid=image] img")).to_be_visible()
    place.get_by_role("button", name="Compare", exact=True).click()
    slider = place.get_by_label("How much of the left picture is shown")
    slider.focus()
    page.keyboard.press("End")
    expect(place.locator(".ic-together .ic-top")).to_have_css("clip-path", "inset(0px 0% 0px 0px)")
    first, second = (box(columns(place).nth(at)) for at in (0, 1))
    assert second["y"] >= first["y"] + first["height"]
    assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_a_model_is_recommended_and_tried(page: Page, server: Server):
    place = opened(page, server, CHAT)
    place.get_by_role("tab", name="Which model?").click()
    place.get_by_label("What do you want to do?").fill("count parts on a conveyor, less than 2 GB")
    place.get_by_role("button", name="Recommend", exact=True).click()
    expect(place.locator(".ic-advice")).to_contain_text("takes")
    expect(place.get_by_label("object-detection")).to_be_checked()
    place.get_by_role("link", name="Try it").click()
    tab = page.locator("#tab-image")
    expect(tab.get_by_label("Model").locator("visible=true").first).to_have_value("detrforobjectdetection")
    expect(tab.get_by_label("What to do").locator("visible=true").first).to_have_value("Find objects")


@pytest.mark.parametrize("left", [0, 40, 80])
def test_labels_of_two_models_boxes_lie_within_the_picture_and_apart(page: Page, server: Server, left: int):
    """Both find the same thing at the same place."""
    opened(page, server, CHAT)
    script = (Path(ui.__file__).parent / "assets" / "regions.js").read_text("utf-8")
    rects = page.evaluate(f"""() => {{ {script}
        const canvas = document.createElement("div");
        canvas.className = "ic-canvas";
        canvas.style.cssText = "width:400px;height:400px";
        document.body.append(canvas);
        return [canvas, ...[0, 1].map(() => {{
            const node = document.createElement("div"), label = document.createElement("span");
            node.className = "ic-box";
            node.box = {{ xmin: {left}, ymin: 30, xmax: {left} + 20, ymax: 50 }};
            label.textContent = "red hexagon 95 %";
            node.append(label);
            canvas.append(node);
            placed(node, [100, 100]);
            return label;
        }})].map((node, at, all) => {{
            if (!at) untangle([...canvas.children]);
            return node.getBoundingClientRect().toJSON();
        }});
    }}""")
    picture, one, other = rects
    for label in (one, other):
        assert picture["left"] - 2 <= label["left"]
        assert label["right"] <= picture["right"] + 2
    assert one["bottom"] <= other["top"] or other["bottom"] <= one["top"]


def test_what_is_offered_to_try_fits_the_task(
    page: Page, server: Server, tmp_path_factory: pytest.TempPathFactory
):
    folder = build("StableDiffusion", tmp_path_factory.mktemp("brush") / "brush")
    server.call(server.service.models.register({"name": "brush", "file_path": str(folder)}))
    place = opened(page, server, CHAT)
    expect(place.get_by_text("Write one sentence about the sea.")).to_be_visible()
    page.goto(f"{server.url}/?tab=compare&task=text-to-image&model=brush")
    expect(place.get_by_text("a large red circle on white")).to_be_visible()
    expect(place.get_by_text("Write one sentence about the sea.")).to_be_hidden()
