"""What a person does in the chat while it is drawn, or while an answer is under way: none of it is lost."""

import re
from pathlib import Path

from playwright.sync_api import APIResponse, Request, Route, expect

from .conftest import Chat
from .pointer import drawn, pressed

PICTURE = Path(__file__).parents[2] / "examples" / "inputs" / "scene-3-objects.png"


def asks(request: Request, name: str) -> bool:
    return f'"{name}"' in (request.post_data or "")


def refresh(chat: Chat) -> None:
    """Come back to the page: its lists are drawn anew before it asks for the conversation."""
    with chat.page.expect_request(lambda request: asks(request, "thread")):
        chat.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def hold(chat: Chat, name: str) -> list[Route]:
    """Let the next request of that name wait; it is the one in the list then."""
    held: list[Route] = []

    def handle(route: Route) -> None:
        if not held and asks(route.request, name):
            held.append(route)
        else:
            route.fallback()

    chat.page.route(re.compile("component_server"), handle)
    return held


def sending(chat: Chat, text: str) -> list[Route]:
    """Send a message, which waits."""
    held = hold(chat, "send")
    chat.composer.fill(text)
    with chat.page.expect_request(lambda request: asks(request, "send")):
        chat.composer.press("Enter")
    return held


def release(chat: Chat, held: list[Route], name: str) -> None:
    """Let it go on, and its answer be drawn."""
    with chat.page.expect_response(lambda response: asks(response.request, name)):
        held[0].continue_()
    drawn(chat.page)


def test_a_deleted_conversation_is_not_brought_back_by_a_late_answer(chat: Chat):
    chat.ask("Gone for good")
    late: list[tuple[Route, APIResponse]] = []

    def keep(route: Route) -> None:
        if not late and '"sessions"' in (route.request.post_data or ""):
            late.append((route, route.fetch()))
        else:
            route.continue_()

    chat.page.route(re.compile("component_server"), keep)
    chat.page.expose_function("held", lambda: bool(late))
    chat.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    chat.page.wait_for_function("held()")
    chat.page.get_by_role("button", name="Delete Gone for good").click()
    expect(chat.page.locator(".ic-item", has_text="Gone for good")).to_have_count(0)
    [(route, response)] = late
    assert "Gone for good" in response.text()
    with chat.page.expect_request_finished(lambda one: one == route.request):
        route.fulfill(response=response)
    chat.page.wait_for_timeout(500)  # what it would bring back is drawn by then
    expect(chat.page.locator(".ic-item", has_text="Gone for good")).to_have_count(0)


def test_a_title_is_not_drawn_over_while_it_is_written(chat: Chat):
    chat.ask("About whales")
    chat.page.get_by_role("button", name="Rename About whales").click()
    chat.page.keyboard.type("Large wh")
    refresh(chat)
    chat.page.keyboard.type("ales")
    chat.page.keyboard.press("Enter")
    expect(chat.page.locator(".ic-item.open")).to_have_text("Large whales")
    refresh(chat)
    expect(chat.page.locator(".ic-item.open")).to_have_text("Large whales")


def test_a_click_into_the_list_counts_while_it_is_drawn(chat: Chat):
    chat.ask("About otters")
    with pressed(chat.page, chat.page.get_by_role("button", name="Rename About otters")):
        refresh(chat)
    expect(chat.page.get_by_role("textbox", name="Title")).to_be_focused()


def test_an_edit_is_not_drawn_over(chat: Chat):
    chat.ask("First words")
    chat.page.get_by_role("button", name="Edit this message").click()
    field = chat.page.get_by_role("textbox", name="Edit this message")
    field.fill("Half a sente")
    like = chat.page.get_by_role("button", name="Good answer")
    like.click()
    expect(like).to_have_attribute("aria-pressed", "true")
    expect(field).to_have_value("Half a sente")
    field.press("Escape")
    expect(chat.last_user.locator(".ic-body")).to_have_text("First words")


def test_of_two_conversations_the_one_opened_last_is_shown(chat: Chat):
    chat.ask("About bees")
    chat.press("New chat")
    chat.ask("About ants")
    chat.press("New chat")
    late = hold(chat, "thread")
    with chat.page.expect_request(lambda request: asks(request, "thread")):
        chat.page.locator(".ic-item a", has_text="About bees").click()
    chat.page.locator(".ic-item a", has_text="About ants").click()
    expect(chat.last_user).to_contain_text("About ants")
    release(chat, late, "thread")
    expect(chat.last_user).to_contain_text("About ants")


def test_what_was_sent_does_not_bring_back_a_conversation_that_was_left(chat: Chat):
    late = sending(chat, "About wasps")
    chat.press("New chat")
    release(chat, late, "send")
    expect(chat.page.locator(".ic-empty")).to_be_visible()
    expect(chat.page.locator(".ic-item", has_text="About wasps")).to_have_count(1)


def test_what_could_not_be_sent_waits_where_it_was_written(chat: Chat):
    chat.ask("About moths")
    late = sending(chat, "More of them")
    chat.press("New chat")
    late[0].abort()
    expect(chat.page.locator(".ic-toast.bad")).to_be_visible()
    expect(chat.composer).to_have_value("")
    chat.page.locator(".ic-item a", has_text="About moths").click()
    expect(chat.composer).to_have_value("More of them")


def test_what_is_typed_while_a_message_is_refused_stays(chat: Chat):
    late = sending(chat, "One thing")
    chat.page.keyboard.type("and another")
    late[0].abort()
    expect(chat.composer).to_have_value("One thing\nand another")


def test_a_setting_that_comes_late_does_not_bring_back_its_conversation(chat: Chat):
    chat.ask("About cats")
    late = hold(chat, "change")
    chat.page.get_by_role("button", name="Settings", exact=True).click()
    with chat.page.expect_request(lambda request: asks(request, "change")):
        chat.page.get_by_label("Persona").select_option("Witty")
    chat.press("New chat")
    release(chat, late, "change")
    chat.ask("About dogs")
    expect(chat.page.locator(".ic-msg.user")).to_have_count(1)


def test_what_is_sent_is_what_was_written_until_its_files_were_there(chat: Chat):
    uploads: list[Route] = []
    chat.page.route("**/media", lambda route: uploads.append(route))
    with chat.page.expect_request("**/media"):
        chat.page.locator(".ic-pick").set_input_files(PICTURE)
    chat.composer.fill("What is")
    chat.composer.press("Enter")
    chat.page.keyboard.type(" this?")
    with chat.page.expect_request(lambda request: asks(request, "send")) as sent:
        uploads[0].continue_()
    assert '"What is this?"' in (sent.value.post_data or "")


def test_a_message_whose_file_is_taken_away_goes_without_it(chat: Chat):
    chat.page.route("**/media", lambda _: None)
    with chat.page.expect_request("**/media"):
        chat.page.locator(".ic-pick").set_input_files(PICTURE)
    chat.composer.fill("What is this?")
    chat.composer.press("Enter")
    with chat.page.expect_request(lambda request: asks(request, "send")) as sent:
        chat.page.get_by_role("button", name=f"Remove {PICTURE.name}").click()
    assert '"files":[]' in (sent.value.post_data or "").replace(" ", "")


def test_a_click_counts_while_files_are_sent(chat: Chat):
    pick = chat.page.locator(".ic-pick")
    pick.set_input_files(PICTURE)
    with pressed(chat.page, chat.page.get_by_role("button", name="Answer with auto")):
        pick.set_input_files(PICTURE)
        expect(chat.page.locator(".ic-waiting")).to_have_count(2)
    expect(chat.page.locator(".ic-said")).to_have_text("auto answers from now on.")
