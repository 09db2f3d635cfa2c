"""The chat socket against the real server: frames, two readers, clients that vanish."""

import time
from collections.abc import AsyncGenerator
from socket import SHUT_RDWR
from typing import Any

import httpx
import pytest
from websockets import ConnectionClosed, InvalidStatus

from inference_chat.api import frames
from inference_chat.chats.turns import Turn
from inference_chat.schema import JSON
from tests.server import Server, Socket

# As long as the model's window takes, so that a busy machine has time to stop it.
LONG = {"settings": {"max_tokens": 8000, "temperature": 0, "stop": []}, "content": "go"}


def last_message(http: httpx.Client, session: str) -> Any:
    return http.get(f"/chat/{session}/history").json()["messages"][-1]


def settled(http: httpx.Client, session: str) -> Any:
    """The newest message once it is not being written any more."""
    deadline = time.monotonic() + 30
    while (message := last_message(http, session))["status"] == "writing":
        assert time.monotonic() < deadline
    return message


def test_a_turn_in_frames(server: Server, http: httpx.Client, session: str):
    with server.socket(session) as socket:
        ready = {"type": "ready", "session_id": session, "model": "tiny-llama@1.0.0", "writing": None}
        assert socket.next() == ready
        socket.send("message", content="Hello")
        frames = socket.turn()
    tokens = [frame for frame in frames if frame["type"] == "token"]
    assert (frames[0]["type"], frames[0]["active"]) == ("typing", True)
    assert frames[-2] == {"type": "typing", "active": False}
    assert [token["index"] for token in tokens] == list(range(len(tokens)))
    assert "".join(token["text"] for token in tokens) == frames[-1]["message"]["content"]
    assert last_message(http, session) == frames[-1]["message"]


def test_ping(server: Server, session: str):
    with server.socket(session) as socket:
        socket.send("ping")
        assert socket.next("pong") == {"type": "pong"}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("not json", "invalid_request"),
        ("[]", "invalid_request"),
        ("{}", "invalid_request"),
        ('{"type": "dance"}', "invalid_request"),
        ('{"type": "message"}', "invalid_request"),
        ('{"type": "message", "content": ""}', "invalid_request"),
        ('{"type": "message", "content": "x", "colour": "red"}', "invalid_request"),
        ('{"type": "message", "content": "x", "model": "nobody"}', "model_not_found"),
        ('{"type": "message", "content": "x", "settings": {"max_tokens": -1}}', "invalid_request"),
        ('{"type": "message", "content": "%s"}' % ("x" * 100_000), "too_large"),
        (b"\x00\x01", "invalid_request"),
    ],
)
def test_an_error_leaves_the_socket_open(server: Server, session: str, frame: str | bytes, code: str):
    with server.socket(session) as socket:
        socket.connection.send(frame)
        error = socket.next("error")
        assert error["code"] == code
        assert error.keys() >= {"title", "status", "detail"}
        socket.send("message", content="still there?")
        assert socket.turn()[-1]["type"] == "message"


def test_an_unknown_conversation_is_told_and_closed(server: Server):
    with server.socket("nobody") as socket:
        assert socket.next()["code"] == "session_not_found"
        with pytest.raises(ConnectionClosed, match="4404"):
            socket.next()


def test_two_sockets_see_the_same_turn(server: Server, session: str):
    def seen(socket: Socket) -> Any:
        """A turn, whatever pieces its text came in: those that come together are one to who looks later."""
        frames = socket.turn()
        text = "".join(frame["text"] for frame in frames if frame["type"] == "token")
        return text, [frame for frame in frames if frame["type"] != "token"]

    with server.socket(session) as one, server.socket(session) as two:
        assert one.next()["type"] == two.next()["type"] == "ready"
        one.send("message", content="Hello")
        assert seen(one) == seen(two)
        two.send("message", content="Hello again")
        assert seen(two) == seen(one)


def test_a_turn_from_elsewhere_is_seen(server: Server, http: httpx.Client, session: str):
    with server.socket(session) as socket:
        assert socket.next()["type"] == "ready"
        reply = http.post(f"/chat/{session}/message", json={"content": "over REST"}).json()["message"]
        assert socket.turn()[-1]["message"] == reply


def test_a_second_message_has_to_wait(server: Server, session: str):
    with server.socket(session) as socket:
        socket.send("message", **LONG)
        socket.next("token")
        socket.send("message", content="too soon")
        assert socket.next("error")["code"] == "session_busy"
        socket.send("stop")
        assert socket.next("message")["message"]["status"] == "cancelled"
        socket.send("message", content="now")
        assert socket.turn()[-1]["type"] == "message"


def test_who_joins_late_sees_it_from_the_start(server: Server, session: str):
    with server.socket(session) as one:
        one.send("message", **LONG)
        one.next("token")
        with server.socket(session) as two:
            assert two.next("token")["index"] == 0
            one.send("stop")
            assert two.next("message") == one.next("message")


def test_a_client_that_leaves_stops_the_compute(server: Server, http: httpx.Client, session: str):
    with server.socket(session) as socket:
        socket.send("message", **LONG)
        socket.next("token")
    message = settled(http, session)
    assert message["status"] == "cancelled"
    assert message["content"]
    assert server.service.jobs.counts == (0, 0)


def test_a_client_that_breaks_off_stops_the_compute(server: Server, http: httpx.Client, session: str):
    with server.socket(session, close_timeout=0) as socket:
        socket.send("message", **LONG)
        socket.next("token")
        socket.connection.socket.shutdown(SHUT_RDWR)
    assert settled(http, session)["status"] == "cancelled"


def test_a_reply_goes_on_while_somebody_reads_it(server: Server, http: httpx.Client, session: str):
    with server.socket(session) as reader:
        with server.socket(session) as starter:
            starter.send("message", **LONG)
            starter.next("token")
            reader.next("token")
        assert reader.next("message")["message"]["status"] == "complete"


def test_the_last_reader_to_leave_stops_it(server: Server, http: httpx.Client, session: str):
    with server.socket(session) as reader:
        with server.socket(session) as starter:
            starter.send("message", **LONG)
            starter.next("token")
        reader.next("token")
    assert settled(http, session)["status"] == "cancelled"


def test_a_reply_the_page_started_does_not_need_a_socket(server: Server, http: httpx.Client, session: str):
    async def from_the_page() -> None:
        caller = server.service.identify({}, {}, "127.0.0.1")
        settings = {"max_tokens": 500, "temperature": 0, "stop": []}
        await server.service.chats.send(caller, session, "go", settings=settings)

    with server.socket(session) as socket:
        assert socket.next()["type"] == "ready"
        server.call(from_the_page())
        socket.next("token")
    assert settled(http, session)["status"] == "complete"


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        (None, True),
        ("same", True),
        ("http://evil.example", False),
        ("null", False),
        ("https://127.0.0.1", False),
    ],
)
def test_pages_of_other_sites_are_refused(server: Server, session: str, origin: str | None, passes: bool):
    header = server.url if origin == "same" else origin
    if passes:
        with server.socket(session, origin=header) as socket:
            assert socket.next()["type"] == "ready"
    else:
        with pytest.raises(InvalidStatus, match="403"), server.socket(session, origin=header):
            pass


def test_a_failed_reply_is_told_and_stored(server: Server, http: httpx.Client, session: str):
    with server.socket(session) as socket:
        http.post("/models", json={"name": "gone", "version": "1", "model_type": "TextGeneration"})
        socket.send("message", content="x", model="gone")
        error = socket.next("error")
        stored = last_message(http, session)
        assert (stored["id"], stored["status"]) == (error["message_id"], "failed")
        assert stored["error"]["code"] == error["code"]


def test_the_unexpected_is_told_and_leaves_the_socket_open(
    server: Server, session: str, monkeypatch: pytest.MonkeyPatch
):
    async def broken(turn: Turn) -> AsyncGenerator[JSON, None]:
        yield {"type": "typing", "active": True}
        raise ZeroDivisionError("secret")

    with server.socket(session) as socket:
        with monkeypatch.context() as patched:
            patched.setattr(frames, "frames_of_turn", broken)
            socket.send("message", content="Hello")
            told = socket.next("error")
        assert (told["status"], told["code"]) == (500, "internal_error")
        assert "secret" not in told["detail"]
        socket.send("ping")
        assert socket.next("pong") == {"type": "pong"}
