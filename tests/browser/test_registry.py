"""The Registry tab as a person uses it: found, loaded, pinned, promoted, edited, fetched, removed."""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from huggingface_hub import constants
from playwright.sync_api import Browser, Locator, Page, Response, Route, expect

from inference_chat import ui
from inference_chat.service import Service
from tests import tiny
from tests.hub import Hub, serving_hub
from tests.server import Server, serving, settings

from .conftest import faultless
from .pointer import box, drawn, pressed


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    model = tiny.card(tiny.build(tmp_path_factory.mktemp("remote") / "small", layers=12))
    with serving_hub(small=model) as hub, pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "ENDPOINT", hub.url)
        yield hub


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("registry")
    model = tiny.card(tiny.build(folder / "models" / "staged"), name="staged", license="apache-2.0")
    more = {"model_cache_dir": folder / "cache", "endpoint_networks": (ip_network("127.0.0.1/32"),)}
    service = Service(settings(folder, folder / "models", **more))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        for version in ("2.0.0", "3.0.0"):
            body = {"name": "staged", "version": version, "file_path": str(model)}
            running.call(service.models.register(body))
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with faultless(browser, 30_000, viewport={"width": 1200, "height": 900}, accept_downloads=True) as page:
        page.goto(f"{server.url}/?tab=registry")
        expect(page.locator(".ic-reg-main h2")).to_be_visible()
        yield page


def choose(page: Page, id: str) -> Locator:
    """Open one version; gives the part of the page that shows it."""
    page.locator(f'.ic-reg-row[data-id="{id}"]').click()
    main = page.locator(".ic-reg-main")
    name, _, version = id.partition("@")
    expect(main.locator("h2")).to_have_text(f"{name}{version}")
    return main


def press(place: Page | Locator, name: str) -> None:
    place.get_by_role("button", name=name, exact=True).click()


def held(page: Page, id: str) -> Locator:
    """What a model has of the bar of memory."""
    return page.locator(f'.ic-membar i[title^="{id}"]')


def asks(answer: Response, name: str) -> bool:
    return f'"{name}"' in (answer.request.post_data or "")


def said(page: Page, text: str) -> None:
    expect(page.locator(".ic-toast").filter(has_text=text).first).to_be_visible()


def test_a_model_is_found_loaded_pinned_and_unloaded(page: Page):
    with page.expect_response(lambda answer: asks(answer, "stagd")):
        page.get_by_label("Search", exact=True).fill("stagd")
    drawn(page)
    expect(page.locator(".ic-reg-row")).to_have_count(3)
    main = choose(page, "staged@1.0.0")
    press(main, "Load")
    said(page, "staged@1.0.0 is in memory")
    expect(held(page, "staged@1.0.0")).to_have_count(1)
    press(main, "Pin in memory")
    expect(main.locator(".ic-chipline")).to_contain_text("pinned")
    press(main, "Unload")
    said(page, "is out of memory")
    expect(held(page, "staged@1.0.0")).to_have_count(0)
    expect(main.get_by_role("button", name="Pin in memory")).to_be_visible()


def test_what_is_told_has_been_drawn(page: Page, server: Server):
    """Until then a click would be lost."""
    main = choose(page, "staged@2.0.0")
    press(main, "Load")
    toast = "document.querySelector('.ic-toast')"
    acts = "[...document.querySelectorAll('.ic-acts button')].map((one) => one.textContent)"
    assert "Unload" in page.wait_for_function(f"() => {toast} && {acts}").json_value()
    server.call(server.service.models.unload("staged@2.0.0"))


def test_memory_moves_while_the_page_is_open(page: Page, server: Server):
    server.call(server.service.models.load("staged@2.0.0"))
    expect(held(page, "staged@2.0.0")).to_have_count(1)
    server.call(server.service.models.unload("staged@2.0.0"))
    expect(held(page, "staged@2.0.0")).to_have_count(0)


def test_a_version_is_promoted_and_rolled_back(page: Page, server: Server):
    main = choose(page, "staged@3.0.0")
    press(main, "Versions (3)")
    row = main.locator("tr", has_text="1.0.0")
    press(row, "Make default")
    said(page, "staged means 1.0.0 from now on")
    expect(row.get_by_role("button", name="Make default")).to_have_count(0)
    assert server.service.registry.get("staged").version == "1.0.0"
    press(main, "Roll back")
    said(page, "staged means 3.0.0 again")
    assert server.service.registry.get("staged").version == "3.0.0"


def test_what_can_be_done_with_a_version_is_seen_without_scrolling(page: Page):
    main = choose(page, "staged@3.0.0")
    press(main, "Versions (3)")
    frame = box(main.locator(".ic-versions"))
    button = box(main.get_by_role("button", name="Make default").first)
    assert button["x"] + button["width"] <= frame["x"] + frame["width"]


def test_models_are_found_by_what_they_are_doing_and_by_their_tags(page: Page, server: Server):
    server.call(server.service.models.load("staged@1.0.0"))
    page.get_by_label("State").select_option("In memory")
    expect(page.locator('.ic-reg-row[data-id="staged@2.0.0"]')).to_have_count(0)
    expect(page.locator('.ic-reg-row[data-id="staged@1.0.0"]')).to_be_visible()
    page.get_by_label("State").select_option("Any state")
    server.call(server.service.curation.edit("staged@3.0.0", {"tags": ["unusual"]}))
    press(choose(page, "staged@3.0.0"), "#unusual")
    expect(page.locator(".ic-reg-row")).to_have_count(1)
    server.call(server.service.models.unload("staged@1.0.0"))


def test_words_and_defaults_are_edited(page: Page, server: Server):
    main = choose(page, "staged@2.0.0")
    press(main, "Settings")
    main.get_by_label("Note").fill("Quick, but <b>rude</b>.")
    main.get_by_label("Tags").fill("mine, small")
    main.locator("#ic-reg-option-max_tokens").fill("33")
    main.locator("#ic-reg-option-max_tokens").press("Tab")
    press(main, "Save")
    expect(main.locator(".ic-note")).to_have_text("Quick, but <b>rude</b>.")
    record = server.service.registry.get("staged@2.0.0")
    assert (record.tags, record.parameters["max_tokens"]) == (("mine", "small"), 33)
    press(main, "Figures")
    expect(main.locator(".ic-facts")).to_contain_text("max_tokens 33")


def test_what_is_being_written_is_not_drawn_over(page: Page, server: Server):
    main = choose(page, "staged@3.0.0")
    press(main, "Settings")
    main.get_by_label("Description").fill("half a sente")
    body = {"name": "elsewhere", "model_type": "TextGeneration"}
    server.call(server.service.models.register(body))
    expect(page.locator('.ic-reg-row[data-id="elsewhere@1.0.0"]')).to_be_visible()
    expect(main.get_by_label("Description")).to_have_value("half a sente")


def test_a_field_that_was_clicked_into_is_not_drawn_over(page: Page, server: Server):
    main = choose(page, "staged@2.0.0")
    press(main, "Settings")
    main.get_by_label("Description").click()
    with page.expect_response(lambda answer: asks(answer, "model")):
        server.call(server.service.models.load("staged@2.0.0"))
    drawn(page)
    page.keyboard.type("half a sente")
    expect(main.get_by_label("Description")).to_have_value(re.compile("half a sente"))
    server.call(server.service.models.unload("staged@2.0.0"))


def test_a_click_into_the_list_counts_while_it_is_drawn(page: Page, server: Server):
    with pressed(page, page.locator('.ic-reg-row[data-id="staged@2.0.0"]')):
        server.call(server.service.models.load("staged@1.0.0"))
        expect(held(page, "staged@1.0.0")).to_have_count(1)
    expect(page.locator(".ic-reg-main h2")).to_have_text("staged2.0.0")
    server.call(server.service.models.unload("staged@1.0.0"))


def test_an_answer_that_comes_late_does_not_draw_over_what_is_being_written(page: Page):
    main = choose(page, "staged@3.0.0")
    late: list[Route] = []

    def hold(route: Route) -> None:
        if '"model"' in (route.request.post_data or "") and not late:
            late.append(route)
        else:
            route.continue_()

    page.route(re.compile("component_server"), hold)
    press(main, "Settings")
    with page.expect_request(lambda request: '"model"' in (request.post_data or "")):
        page.locator('.ic-reg-row[data-id="staged@3.0.0"]').click()
    main.get_by_label("Description").fill("half a sente")
    with page.expect_response(re.compile("component_server")):
        late[0].continue_()
    page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    expect(main.get_by_label("Description")).to_have_value("half a sente")


def test_a_folder_is_checked_before_it_counts(page: Page, server: Server, tmp_path: Path):
    press(page, "Add a model")
    page.get_by_label("Folder on the server").fill(str(tmp_path))
    press(page, "Check")
    expect(page.locator(".ic-verdict")).to_contain_text("is no model folder")
    tiny.build(tmp_path / "fresh")
    page.get_by_label("Folder on the server").fill(str(tmp_path / "fresh"))
    press(page, "Check")
    verdict = page.locator(".ic-verdict")
    expect(verdict).to_contain_text("Fits here")
    assert not server.service.registry.knows("fresh")
    press(verdict, "Register")
    expect(page.locator(".ic-reg-main h2")).to_have_text("fresh1.0.0")


def test_a_model_of_the_hub_is_found_fetched_stopped_resumed_and_loaded(page: Page, hub: Hub):
    press(page, "Add a model")
    press(page, "Hugging Face hub")
    page.get_by_label("Search the hub, or give an id").fill("small")
    press(page, "Search")
    found = page.locator(".ic-hub-row", has_text="tests/small")
    expect(found).to_contain_text("apache-2.0 · 1,000 downloads")
    found.click()
    verdict = page.locator(".ic-verdict")
    expect(verdict).to_contain_text("Fits here")
    expect(verdict).to_contain_text("to download; the disk has")
    hub.hold_after = 1 << 18
    press(verdict, "Register and download")
    main = page.locator(".ic-reg-main")
    expect(main.locator(".ic-download")).to_contain_text(re.compile(r"\d KiB of \d"))
    with pressed(page, main.get_by_role("button", name="Stop", exact=True)):
        with page.expect_response(lambda answer: asks(answer, "download")):
            pass
        drawn(page)
    expect(main.locator(".ic-download")).to_contain_text("Stopped; it goes on where it was.")
    hub.hold_after = 0
    press(main, "Resume")
    said(page, "is here, whole and checked")
    expect(main.locator(".ic-download")).to_have_count(0)
    press(main, "Load")
    said(page, "small@1.0.0 is in memory")


def test_a_hub_that_is_away_is_said(page: Page, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    press(page, "Add a model")
    press(page, "Hugging Face hub")
    press(page, "Search")
    expect(page.locator(".ic-hub-list")).to_contain_text("Everything that is on this machine works.")


def test_an_endpoint_that_does_not_answer_is_not_registered(page: Page, server: Server):
    press(page, "Add a model")
    press(page, "Endpoint")
    page.get_by_label("URL").fill("http://127.0.0.1:9/v1")
    page.get_by_label("Name", exact=True).fill("far")
    press(page, "Check")
    expect(page.locator(".ic-verdict.no")).to_be_visible()
    assert not server.service.registry.knows("far")


def test_one_of_an_endpoints_models_is_chosen_by_a_click(
    page: Page, server: Server, tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("there")
    for name in ("first", "second"):
        tiny.card(tiny.build(folder / "models" / name), name=name)
    with serving(Service(settings(folder, folder / "models"))) as there:
        press(page, "Add a model")
        press(page, "Endpoint")
        page.get_by_label("URL").fill(f"{there.url}/v1")
        press(page, "Check")
        press(page, "second@1.0.0")
        verdict = page.locator(".ic-verdict")
        expect(verdict).to_contain_text("second@1.0.0 text-generation")
        press(verdict, "Register")
        main = page.locator(".ic-reg-main")
        expect(main.locator("h2")).to_have_text("second1.0.0")
        press(main, "Test the connection")
        said(page, "second@1.0.0 answers.")
    expect(held(page, "second@1.0.0")).to_have_count(0)


def test_a_model_is_removed_and_taken_back(page: Page, server: Server):
    main = choose(page, "staged@2.0.0")
    press(main, "Remove")
    expect(page.locator('.ic-reg-row[data-id="staged@2.0.0"]')).to_have_count(0)
    press(page, "Undo")
    expect(page.locator('.ic-reg-row[data-id="staged@2.0.0"]')).to_be_visible()


def test_a_registry_is_exported_and_imported(page: Page, server: Server, tmp_path: Path):
    press(page, "Add a model")
    press(page, "Import and export")
    with page.expect_download() as begun:
        press(page, "Export the registry")
    document = json.loads(begun.value.path().read_text("utf-8"))
    assert {model["name"] for model in document["models"]} >= {"staged"}
    document["models"] = [{"name": "carried", "model_type": "TextGeneration"}, {"name": "not/one"}]
    (tmp_path / "registry.json").write_text(json.dumps(document), "utf-8")
    page.get_by_label("Export of a registry").set_input_files(tmp_path / "registry.json")
    expect(page.locator(".ic-verdict")).to_contain_text("1 new")
    expect(page.locator(".ic-verdict")).to_contain_text("not/one")
    press(page, "Import 1")
    expect(page.locator(".ic-reg-main h2")).to_have_text("carried1.0.0")


def test_a_card_that_is_dropped_in_appears_by_itself(page: Page, server: Server):
    card = server.service.settings.model_cards_dir / "dropped-in.md"
    card.write_text("---\npipeline_tag: text-generation\n---\nOne more.", "utf-8")
    expect(page.locator('.ic-reg-row[data-id="dropped-in@1.0.0"]')).to_be_visible()


def test_ten_thousand_models_are_listed_and_searched(page: Page, server: Server):
    from inference_chat.registry.catalog import ModelRecord

    registry = server.service.registry
    registry.put_all(
        ModelRecord(name=f"many-{number}", tasks=("text-generation",)) for number in range(10_000)
    )
    expect(page.locator(".ic-reg-count")).to_contain_text("200 of 10,0")
    press(page, "Show more")
    expect(page.locator(".ic-reg-count")).to_contain_text("400 of 10,0")
    expect(page.locator(".ic-reg-row")).to_have_count(400)
    page.get_by_label("Search", exact=True).fill("many-9876")
    expect(page.locator(".ic-reg-row").first).to_have_attribute("data-id", "many-9876@1.0.0")
