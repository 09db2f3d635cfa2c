"""One conversation with pictures, sounds and clips: what a person drops, says, sees and takes away."""

import json
import re
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from inference_chat import ui
from inference_chat.media import open_sound
from inference_chat.service import Service
from tests.planning.test_planner import INPUTS, STARTERS, shelf
from tests.server import Server, serving, settings

from .conftest import CHROMIUM, FLAGS, faultless
from .pointer import box

DEVICES = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("multimodal")
    service = Service(settings(folder, shelf(folder / "models", STARTERS)))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        for name in STARTERS:
            running.call(service.models.load(name))
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """With a microphone that says "Describe the picture.", and a camera."""
    said = tmp_path_factory.mktemp("voice") / "said.wav"
    samples = open_sound(
        (INPUTS / "speech" / "describe-the-picture.ogg").read_bytes(), rate=48_000, mono=True
    ).mono
    with wave.open(str(said), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        quiet = np.zeros(48_000 * 3, "<i2").tobytes()
        file.writeframes((samples * 32767).astype("<i2").tobytes() + quiet)
    with sync_playwright() as playwright:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        flags = [*FLAGS, *DEVICES, f"--use-file-for-fake-audio-capture={said}"]
        running = playwright.chromium.launch(executable_path=path, args=flags)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    given = ["microphone", "camera"]
    with faultless(browser, viewport={"width": 1100, "height": 800}, permissions=given) as page:
        page.goto(f"{server.url}/?tab=multimodal")
        page.locator("#multimodal .ic[data-ready]").wait_for()
        yield page


def attach(page: Page, *names: str) -> None:
    page.locator("#multimodal .ic-pick").set_input_files([INPUTS / name for name in names])
    expect(page.locator("#multimodal .ic-waiting")).to_have_count(len(names))


def test_a_sound_that_waits_has_its_player(page: Page):
    attach(page, "speech/describe-the-picture.ogg")
    assert box(page.locator("#multimodal .ic-waiting audio"))["width"] > 200


def test_a_picture_that_goes_by_a_sound_s_name_is_a_picture(page: Page, tmp_path: Path):
    named = tmp_path / "picture.wav"
    named.write_bytes((INPUTS / "scene-red-circles.png").read_bytes())
    page.locator("#multimodal .ic-pick").set_input_files(named)
    expect(page.locator("#multimodal .ic-waiting.image img")).to_be_visible()
    expect(page.locator("#multimodal .ic-waiting")).to_have_count(1)


def ask(page: Page, text: str = "") -> None:
    """Say something and wait for the whole answer."""
    plans = page.locator("#multimodal .ic-plan")
    before = plans.count()
    composer = page.locator("#multimodal").get_by_role("textbox", name="Message", exact=True)
    composer.fill(text)
    composer.press("Enter")
    expect(plans).to_have_count(before + 1)


def test_what_is_sent_before_the_page_is_ready_is_answered_by_its_model(page: Page):
    late: list[Route] = []
    said = Event()

    def hold(route: Route) -> None:
        if not said.is_set() and '"boot"' in (route.request.post_data or ""):
            late.append(route)
        else:
            route.continue_()

    page.route(re.compile("component_server"), hold)
    page.reload()
    page.expose_function("held", lambda: any("multimodal" in (one.request.post_data or "") for one in late))
    page.wait_for_function("held()")
    composer = page.locator("#multimodal").get_by_role("textbox", name="Message", exact=True)
    composer.fill("Hello!")
    composer.press("Enter")
    said.set()
    for route in late:
        route.continue_()
    expect(page.locator("#multimodal .ic-msg.assistant .ic-plan")).to_have_count(1)
    expect(composer).to_have_value("")


def test_a_spoken_question_over_a_picture_is_answered_with_regions(page: Page):
    attach(page, "scene-red-circles.png", "speech/describe-the-picture.ogg")
    ask(page)
    place = page.locator("#multimodal")
    expect(place.locator(".ic-msg.assistant .ic-body")).to_contain_text("I see 5 objects")
    place.locator(".ic-plan summary").click()
    expect(place.locator(".ic-steps li.done")).to_have_count(2)
    expect(place.locator(".ic-steps")).to_contain_text("“Describe the picture.”")
    place.locator(".ic-cite").first.press("Enter")  # by the keyboard
    expect(place.locator(".ic-media .ic-mark")).to_have_count(1)
    page.reload()
    expect(place.locator(".ic-source")).to_have_count(5)
    expect(place.locator(".ic-sent audio")).to_have_js_property("error", None)


def test_a_clip_is_answered_with_moments_that_the_player_goes_to(page: Page):
    attach(page, "clip-two-shots.mp4")
    ask(page, "What happens, and when?")
    page.locator("#multimodal .ic-source", has_text="fade").click()
    page.wait_for_function("() => document.querySelector('#multimodal .ic-sent video').currentTime > 1")


def test_several_turns_and_the_conversation_as_zip(page: Page, tmp_path: Path):
    attach(page, "scene-red-circles.png")
    ask(page, "How many red circles are there?")
    expect(page.locator("#multimodal .ic-body").last).to_contain_text("There are 2 red circles")
    ask(page, "Where are they?")
    expect(page.locator("#multimodal .ic-msg.assistant")).to_have_count(2)
    expect(page.locator("#multimodal .writing")).to_have_count(0)
    page.get_by_role("button", name="Export this conversation").locator("visible=true").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="With its files, as zip").locator("visible=true").click()
    download.value.save_as(tmp_path / "kept.zip")
    with zipfile.ZipFile(tmp_path / "kept.zip") as archive:
        assert archive.read("media/1-picture.png") == (INPUTS / "scene-red-circles.png").read_bytes()
        assert len(json.loads(archive.read("conversation.json"))["messages"]) == 4
    page.locator("#multimodal .ic-file").set_input_files(tmp_path / "kept.zip")
    expect(page.locator("#multimodal .ic-sent img")).to_have_js_property("naturalWidth", 256)


def test_what_is_said_is_shown_while_it_is_said_and_attached(page: Page):
    place = page.locator("#multimodal")
    place.get_by_role("button", name="Record a sound").click()
    expect(place.locator(".ic-partly")).to_contain_text("Describe the picture", ignore_case=True)
    place.get_by_role("button", name="Stop the recording and attach it").click()
    expect(place.locator(".ic-waiting audio")).to_have_count(1)
    place.get_by_role("button", name="Remove recording.wav").click()
    expect(place.locator(".ic-waiting")).to_have_count(0)


def test_the_camera_takes_a_picture(page: Page):
    place = page.locator("#multimodal")
    place.get_by_role("button", name="Take a picture or record a clip").click()
    page.wait_for_function("() => document.querySelector('.ic-camera video')?.videoWidth > 0")
    place.get_by_role("button", name="Take a picture", exact=True).click()
    expect(place.locator(".ic-waiting.image")).to_have_count(1)


def test_what_is_no_file_of_these_kinds_is_told_and_nothing_is_lost(page: Page, tmp_path: Path):
    (tmp_path / "no.png").write_bytes(b"no picture")
    place = page.locator("#multimodal")
    place.locator(".ic-pick").set_input_files(tmp_path / "no.png")
    expect(place.locator(".ic-waiting.bad")).to_contain_text("no image file")
    place.get_by_role("textbox", name="Message", exact=True).fill("What is it?")
    place.get_by_role("button", name="Send", exact=True).click()
    expect(place.locator(".ic-toast.bad")).to_contain_text("no.png")
    expect(place.get_by_role("textbox", name="Message", exact=True)).to_have_value("What is it?")


def test_in_the_chat_tab_a_model_of_text_alone_offers_one_that_takes_files(page: Page, server: Server):
    page.goto(server.url)
    place = page.locator("#chat")
    place.locator(".ic[data-ready]").wait_for()
    place.locator(".ic-pick").set_input_files(INPUTS / "scene-1-objects.png")
    expect(place.locator(".ic-taken")).to_contain_text("starter-chat takes text only")
    place.get_by_role("button", name="Answer with auto").click()
    expect(place.locator(".ic-taken")).to_be_hidden()
    place.get_by_role("textbox", name="Message", exact=True).fill("What do you see?")
    place.get_by_role("button", name="Send", exact=True).click()
    expect(place.locator(".ic-msg.assistant .ic-body")).to_contain_text("an orange square")


def test_everything_has_a_name_for_those_who_listen(page: Page):
    attach(page, "scene-1-objects.png")
    ask(page, "What do you see?")
    page.locator("#multimodal .ic-source").first.wait_for()
    nodes = page.locator("#multimodal :is(button, input, textarea, select, audio, video):visible")
    nameless = nodes.evaluate_all(
        """nodes => nodes
        .filter((node) => !(node.ariaLabel || node.textContent.trim() || node.labels?.length))
        .map((node) => node.outerHTML.slice(0, 90))"""
    )
    assert nameless == []
