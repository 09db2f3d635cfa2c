"""A reply as the page is told of it over the conversation's socket."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from inference_chat import runners, ui
from inference_chat.chats.turns import Turn
from inference_chat.jobs import Job
from inference_chat.schema import Options, Request, now
from inference_chat.service import Service
from inference_chat.sessions.messages import ChatMessage
from inference_chat.ui import news
from inference_chat.ui.news import ended
from tests import tiny
from tests.fakes import ANNE, FAMILIES, running
from tests.server import Server, one_model, serving, settings

REQUEST = Request(model="m@1", prompt="x", options=Options())
REPLY = ChatMessage(id="m", session_id="s", role="assistant", content="", created_at=now())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its model writes until somebody stops it."""
    folder = tmp_path_factory.mktemp("server")
    tiny.card(tiny.endless(tiny.build(folder / "models" / "tiny-llama", window=8192)))
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        running.call(service.models.load("tiny-llama"))
        yield running


@pytest.fixture
def session(server: Server) -> str:
    with server.http() as http:
        return str(http.post("/chat/start", json={"settings": {"temperature": 0}}).json()["session_id"])


def page(server: Server, session: str) -> ClientConnection:
    return connect(f"{server.ws}/chat/{session}/ws?view=page")


def heard_by(socket: ClientConnection) -> Iterator[Any]:
    """What a page hears until a reply has ended."""
    done = False
    while not done:
        yield (frame := json.loads(socket.recv(30)))
        done = frame.get("done", False)


def told(server: Server, session: str, said: dict[str, Any]) -> list[Any]:
    """What a page hears that says something, until it is answered."""
    with page(server, session) as socket:
        socket.send(json.dumps(said))
        return list(heard_by(socket))


def test_a_page_hears_a_reply_grow_and_gets_the_conversation_at_its_end(server: Server, session: str):
    say = {"type": "message", "content": "Hello", "settings": {"max_tokens": 120}}
    ready, *heard = told(server, session, say)
    assert ready["writing"] is None
    assert {frame["reply"] for frame in heard} == {heard[-1]["messages"][-1]["id"]}
    assert heard[-1]["messages"][-1]["status"] == "complete"
    assert heard[-1]["writing"] is None


def test_blocks_that_a_page_has_are_not_sent_again(server: Server, session: str):
    _, *heard = told(server, session, {"type": "message", "content": "Hi", "settings": {"max_tokens": 250}})
    have = 0
    for frame in heard[:-1]:
        assert frame["from"] == have
        have = frame["finished"]


def test_a_page_that_comes_in_mid_answer_hears_all_of_it(server: Server, session: str):
    with server.http() as http:
        say = {"content": "Hi", "settings": {"max_tokens": 8000}, "stream": True}
        with http.stream("POST", f"/chat/{session}/message", json=say) as stream:
            lines = stream.iter_lines()
            next(line for line in lines if '"token"' in line)
            with page(server, session) as socket:
                heard = heard_by(socket)
                ready, first = next(heard), next(heard)
                socket.send(json.dumps({"type": "stop"}))
                *_, last = heard
    assert (ready["writing"], first["from"]) == (first["reply"], 0)
    assert last["messages"][-1]["finish_reason"] == "cancelled"


async def test_a_reply_that_ends_while_its_conversation_is_read_is_followed(
    tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runners, "FAMILIES", FAMILIES)
    async with running(tmp_path, one_model(tmp_path / "models", tiny_llama)) as service:
        session = (await service.chats.start(ANNE)).id
        turn = await service.chats.send(ANNE, session, "for ever")
        read = service.chats.path

        async def path(*arguments: Any) -> list[ChatMessage]:
            found = await read(*arguments)
            turn.job.cancel()
            await turn.finished()
            return found

        with monkeypatch.context() as late:
            late.setattr(service.chats, "path", path)
            seen = await news.thread(service, ANNE, session)
        assert seen["messages"][-1]["status"] == "writing"
        assert seen["writing"] == turn.reply.id


def test_a_piece_that_took_long_is_followed_by_no_longer_silence_than_a_page_believes(
    server: Server, session: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(news, "SHARE", 1e9)
    monkeypatch.setattr(news, "HEARTBEAT", 0.02)
    _, *heard = told(server, session, {"type": "message", "content": "Hi", "settings": {"max_tokens": 250}})
    assert len(heard) > 2


async def test_a_pause_ends_with_the_reply(server: Server):
    turn = Turn("s", None, REPLY, Job(REQUEST, server.service.jobs))
    turn.task = asyncio.create_task(asyncio.sleep(0, REPLY))
    async with asyncio.timeout(5):
        await ended(turn, 60)


async def test_events_are_not_waited_for_for_ever(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(news, "HEARTBEAT", 0.01)
    await news.new_events(Turn("s", None, REPLY, Job(REQUEST, server.service.jobs)), 0)
