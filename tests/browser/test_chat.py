"""A person's way through the chat, from the first message to the phone in the train."""

import json
from pathlib import Path

from playwright.sync_api import WebSocketRoute, expect

from .conftest import SLOW_TOKENS, Chat


def length(chat: Chat) -> int:
    return len(chat.reply.inner_text())


def grows(chat: Chat, more_than: int = 0) -> int:
    """Wait until the reply is longer than that; its length then."""
    chat.page.wait_for_function(
        "n => [...document.querySelectorAll('.ic-msg.assistant .ic-body')].at(-1)?.innerText.length > n",
        arg=more_than,
    )
    return length(chat)


def test_an_example_starts_a_conversation(chat: Chat):
    chat.page.locator(".ic-examples button").first.click()
    chat.answered()
    expect(chat.page.locator(".ic-item.open")).to_contain_text("Who are you?")


def test_tokens_arrive_bit_by_bit_and_stop_stops(chat: Chat):
    chat.use("slow")
    chat.say("Tell me a long story")
    first = grows(chat)
    assert grows(chat, first) > first
    expect(chat.page.locator(".ic-status")).to_contain_text("Answering")
    chat.page.get_by_role("button", name="Stop", exact=True).click()
    expect(chat.page.locator(".ic-cut")).to_contain_text("Stopped.")
    chat.page.get_by_role("button", name="Continue").click()
    grows(chat, length(chat))
    chat.page.keyboard.press("Escape")
    expect(chat.page.locator(".ic-cut")).to_contain_text("Stopped.")


def test_reloading_in_mid_answer_still_gets_the_whole_answer(chat: Chat):
    chat.use("slow")
    chat.say("Tell me everything")
    grows(chat)
    chat.page.reload()
    expect(chat.page.locator(".writing")).to_be_visible()
    chat.answered()
    expect(chat.page.locator(".ic-figures").last).to_contain_text(f"{SLOW_TOKENS:,} tokens")
    shown = chat.reply.inner_text()
    chat.page.reload()
    expect(chat.reply).to_have_text(shown, use_inner_text=True)


def test_the_answer_goes_on_when_the_tab_is_closed(chat: Chat):
    chat.use("slow")
    chat.say("Go on without me")
    grows(chat)
    address = chat.page.url
    chat.page.goto("about:blank")
    chat.page.goto(address)
    chat.answered()
    expect(chat.page.locator(".ic-figures").last).to_contain_text(f"{SLOW_TOKENS:,} tokens")


def test_an_answer_survives_a_lost_connection(chat: Chat):
    lost: list[WebSocketRoute] = []

    def once(route: WebSocketRoute) -> None:
        route.connect_to_server()
        lost.append(route)

    chat.page.route_web_socket("**/ws?view=page", once)
    chat.use("slow")
    chat.say("Tell me everything")
    grows(chat)
    lost[0].close()
    chat.answered()
    assert len(lost) == 2
    expect(chat.page.locator(".ic-figures").last).to_contain_text(f"{SLOW_TOKENS:,} tokens")


def test_an_answer_is_seen_where_sockets_do_not_get_through(chat: Chat):
    refused = "class { constructor() { setTimeout(() => this.onclose(), 5); } close() {} }"
    chat.page.add_init_script(f"window.WebSocket = {refused}")
    chat.open()
    chat.use("slow")
    chat.say("Tell me everything")
    first = grows(chat)
    assert grows(chat, first) > first
    chat.answered()


def test_two_pages_see_one_answer(chat: Chat):
    chat.use("slow")
    chat.say("For both of us")
    grows(chat)
    other = Chat(chat.page.context.new_page(), chat.url).open(f"/{chat.page.url.rpartition('/')[2]}")
    assert 0 < grows(other) < length(chat) + 2000
    other.answered()
    chat.answered()
    expect(other.reply).to_have_text(chat.reply.inner_text(), use_inner_text=True)


def test_edited_messages_are_branches(chat: Chat):
    chat.ask("First words")
    chat.page.get_by_role("button", name="Edit this message").click()
    chat.page.get_by_role("textbox", name="Edit this message").fill("Other words")
    chat.page.keyboard.press("Enter")
    expect(chat.last_user).to_contain_text("Other words")
    chat.answered()
    expect(chat.last_user.locator(".ic-branches")).to_have_text("2/2")
    chat.last_user.get_by_role("button", name="Earlier version").click()
    expect(chat.last_user.locator(".ic-body")).to_have_text("First words")


def test_edited_answers_are_branches(chat: Chat):
    chat.ask("First words")
    chat.page.get_by_role("button", name="Edit this answer").click()
    chat.page.get_by_role("textbox", name="Edit this answer").fill("In my own words")
    chat.page.keyboard.press("Enter")
    expect(chat.page.locator(".assistant .ic-body")).to_have_text("In my own words")
    expect(chat.page.locator(".assistant .ic-branches")).to_have_text("2/2")


def test_answers_again_are_branches(chat: Chat):
    chat.ask("Say something")
    chat.press("Answer again")
    expect(chat.page.locator(".assistant .ic-branches")).to_have_text("2/2")
    chat.answered()
    chat.press("Earlier version")
    expect(chat.page.locator(".assistant .ic-branches")).to_have_text("1/2")


def test_another_model_takes_over_in_mid_conversation(chat: Chat):
    chat.ask("Hello quick one")
    chat.use("slow")
    chat.say("Hello slow one")
    grows(chat)
    chat.press("Stop")
    expect(chat.page.locator(".ic-who")).to_have_text(["quick", "slow"])
    chat.page.reload()
    expect(chat.page.get_by_label("Model", exact=True).locator("option:checked")).to_have_text("slow")


def test_deleting_can_be_undone(chat: Chat):
    chat.ask("Delete me please")
    chat.page.get_by_role("button", name="Delete Delete me please").click()
    expect(chat.page.locator(".ic-empty")).to_be_visible()
    expect(chat.page.locator(".ic-item", has_text="Delete me please")).to_have_count(0)
    chat.page.get_by_role("button", name="Undo").click()
    expect(chat.page.locator(".ic-item", has_text="Delete me please")).to_have_count(1)


def test_conversations_are_found_and_renamed(chat: Chat):
    chat.ask("About zebras")
    chat.press("New chat")
    chat.ask("About lions")
    chat.page.get_by_role("button", name="Rename About lions").click()
    chat.page.get_by_role("textbox", name="Title").fill("Big cats")
    chat.page.keyboard.press("Enter")
    expect(chat.page.locator(".ic-item.open")).to_contain_text("Big cats")
    chat.page.get_by_role("searchbox").fill("ABOUT LIONS")
    expect(chat.page.locator(".ic-item")).to_have_text(["Big cats"])


def test_exported_conversations_come_back(chat: Chat, tmp_path: Path):
    chat.ask("Keep this")
    for form, name in (("As Markdown", "kept.md"), ("As JSON", "kept.json")):
        chat.page.get_by_role("button", name="Export this conversation").click()
        with chat.page.expect_download() as download:
            chat.page.get_by_role("menuitem", name=form).click()
        download.value.save_as(tmp_path / name)
    assert "Keep this" in (tmp_path / "kept.md").read_text("utf-8")
    assert json.loads((tmp_path / "kept.json").read_text("utf-8"))["messages"]
    address = chat.page.url
    chat.page.locator(".ic-file").set_input_files(tmp_path / "kept.json")
    chat.page.wait_for_url(lambda url: url != address)
    expect(chat.last_user.locator(".ic-body")).to_have_text("Keep this")


def test_html_in_a_message_is_text(chat: Chat):
    markup = "<img src=x onerror=alert(1)><script>alert(2)</script> <b>bold</b>"
    chat.ask(markup)
    expect(chat.last_user.locator(".ic-body")).to_have_text(markup)
    assert chat.page.locator(".ic-main :is(img, script, b)").count() == 0


def test_right_to_left_text_runs_right_to_left(chat: Chat):
    chat.say("مرحبا بالعالم 🎈")
    body = chat.last_user.locator(".ic-body")
    assert body.evaluate("node => getComputedStyle(node).direction") == "rtl"


def test_the_keyboard_is_enough(chat: Chat):
    expect(chat.composer).to_be_focused()
    chat.page.keyboard.type("one")
    chat.page.keyboard.press("Shift+Enter")
    chat.page.keyboard.type("two")
    chat.page.keyboard.press("Enter")
    chat.answered()
    expect(chat.last_user.locator(".ic-body")).to_have_text("one\ntwo", use_inner_text=True)
    expect(chat.composer).to_be_focused()
    chat.page.keyboard.press("Shift+Tab")
    assert chat.page.evaluate("document.activeElement.getAttribute('aria-label')")


def test_every_control_has_a_name(chat: Chat):
    chat.ask("Hello")
    chat.page.get_by_role("button", name="Settings", exact=True).click()
    chat.page.locator("#ic-option-temperature").wait_for()
    nameless = """nodes => nodes.filter((node) => !node.hidden && !node.textContent.trim()
      && !node.getAttribute('aria-label') && !node.labels?.length).map((node) => node.outerHTML)"""
    controls = chat.page.locator(".ic :is(button, input, select, textarea, a)")
    assert controls.evaluate_all(nameless) == []


def test_settings_are_remembered_by_the_browser(chat: Chat):
    chat.page.get_by_role("button", name="Settings", exact=True).click()
    field = chat.page.locator("#ic-option-max_tokens")
    field.fill("5")
    field.press("Tab")
    chat.ask("Briefly")
    expect(chat.page.locator(".ic-figures")).to_contain_text("5 tokens")
    chat.open()
    chat.page.get_by_role("button", name="Settings", exact=True).click()
    expect(chat.page.locator("#ic-option-max_tokens")).to_have_value("5")


def test_a_persona_is_the_system_prompt(chat: Chat):
    chat.page.get_by_role("button", name="Settings", exact=True).click()
    chat.page.get_by_label("Persona").select_option("Witty")
    expect(chat.page.get_by_label("System prompt")).to_have_value("You are a witty assistant.")
    chat.ask("Hello")
    chat.page.reload()
    chat.page.locator(".ic[data-ready]").wait_for()
    chat.page.get_by_role("button", name="Settings", exact=True).click()
    expect(chat.page.get_by_label("Persona")).to_have_value("Witty")


def test_good_answers_are_marked(chat: Chat):
    chat.ask("Do well")
    chat.press("Good answer")
    like = chat.page.get_by_role("button", name="Good answer")
    expect(like).to_have_attribute("aria-pressed", "true")
    chat.page.reload()
    expect(like).to_have_attribute("aria-pressed", "true")


def test_a_refused_message_is_not_lost(chat: Chat):
    text = "x" * 500_001
    chat.composer.fill(text)
    chat.composer.press("Enter")
    expect(chat.page.locator(".ic-toast.bad")).to_contain_text("500,000 are allowed")
    expect(chat.composer).to_have_value(text)


def test_an_unknown_conversation_is_said_so(chat: Chat):
    chat.open("/?chat=nothing")
    expect(chat.page.locator(".ic-toast.bad")).to_be_visible()
    expect(chat.page.locator(".ic-empty")).to_be_visible()


def test_a_phone_scrolls_only_up_and_down(chat: Chat):
    chat.page.set_viewport_size({"width": 375, "height": 667})
    chat.ask("A_very_long_word_" * 20)
    assert chat.page.evaluate("document.documentElement.scrollWidth") == 375
    assert chat.page.evaluate("document.querySelector('.ic-scroll').scrollWidth") <= 375
    chat.page.get_by_role("button", name="Open the list of conversations").click()
    expect(chat.page.locator(".ic-side")).to_be_in_viewport(ratio=1)
    chat.press("New chat")
    expect(chat.page.locator(".ic-empty")).to_be_visible()
    expect(chat.page.locator(".ic-side")).not_to_be_in_viewport()
