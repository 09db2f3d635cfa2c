"""The page's own requests, called as the page calls them."""

from typing import Any

import gradio as gr
import pytest
from starlette.requests import Request

from inference_chat.ui.actions import Actions, doors
from tests.server import Server


class Page:
    """Calls doors by name, as the page's script does."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._doors = {door.__name__: door for door in doors(Actions(server.service), server.service)}

    def answer(self, name: str, **data: Any) -> Any:
        request: Any = Request({"type": "http", "headers": [], "client": ("127.0.0.1", 1)})
        return self._server.call(self._doors[name](data, request))  # type: ignore[arg-type]

    def ask(self, name: str, **data: Any) -> Any:
        return self.answer(name, **data)["ok"]

    def whole(self, thread: Any) -> Any:
        """Follow a reply to its end."""
        at = {"session": thread["session"]["id"], "reply": thread["messages"][-1]["id"]}
        seen = have = 0
        while not (news := self.ask("follow", **at, seen=seen, have=have))["done"]:
            seen, have = news["seen"], news["finished"]
        return news


@pytest.fixture
def page(server: Server) -> Page:
    return Page(server)


def test_doors_are_seen_by_gradio_as_taking_data_and_request(server: Server):
    for door in doors(Actions(server.service), server.service):
        assert door.__annotations__["request"] is gr.Request


def test_a_reply_is_followed_to_its_end(page: Page):
    thread = page.ask("send", text="Hello", settings={"max_tokens": 30})
    whole = page.whole(thread)
    assert whole["messages"][-1]["status"] == "complete"
    assert whole["writing"] is None


def test_settings_of_the_browser_become_those_of_the_conversation(page: Page):
    thread = page.ask("send", text="Hello", settings={"max_tokens": 3})
    assert page.whole(thread)["messages"][-1]["figures"].startswith("3 tokens")


def test_editing_the_first_message_starts_another_branch(page: Page):
    thread = page.whole(page.ask("send", text="One", settings={"max_tokens": 3}))
    edited = page.ask("send", text="Two", session=thread["session"]["id"], parent=None, edit=True)
    assert len(edited["messages"][0]["siblings"]) == 2
    page.whole(edited)


def test_the_panel_leaves_out_what_chat_has_no_use_for(page: Page):
    names = {control["name"] for control in page.ask("options", model="tiny-llama")["controls"]}
    assert "temperature" in names
    assert not names & {"n", "logprobs"}


def test_opening_an_unknown_conversation_still_opens_the_page(page: Page):
    opened = page.ask("boot", session="nothing")
    assert opened["thread"]["error"]
    assert opened["models"]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("send", {"text": " "}, "invalid_request"),
        ("send", {}, "invalid_request"),
        ("send", {"text": "x", "surprise": 1}, "invalid_request"),
        ("send", {"text": "x", "model": "nobody"}, "model_not_found"),
        ("thread", {"session": "nothing"}, "session_not_found"),
        ("load", {"conversation": {"format": "?"}}, "invalid_request"),
    ],
)
def test_a_refusal_is_an_answer(page: Page, name: str, data: dict[str, Any], code: str):
    assert page.answer(name, **data)["error"]["code"] == code


def test_a_refused_request_leaves_no_empty_conversation(page: Page):
    before = page.ask("sessions")["sessions"]
    page.answer("send", text="x", settings={"temperature": 99})
    assert page.ask("sessions")["sessions"] == before
