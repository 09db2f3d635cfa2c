"""Endpoints that misbehave: a small real server says what it is told to say."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from threading import Event as Flag
from typing import Any, ClassVar

import pytest

from inference_chat.errors import (
    DeadlinePassed,
    EndpointUnavailable,
    Forbidden,
    InferenceChatError,
    InvalidRequest,
    ModelFailed,
)
from inference_chat.events import Event, Finished, Result, TextDelta
from inference_chat.registry.endpoint import Endpoint
from inference_chat.runners.endpoint import EndpointRunner, Remote
from inference_chat.runners.endpoint.breaker import FAILURES, REST, Breaker
from inference_chat.runners.text import TextOptions
from inference_chat.schema import Message, Request

HERE = (ip_network("127.0.0.1/32"),)
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
Script = list[Callable[["Told"], None]]


def word(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}}]}


class Told(BaseHTTPRequestHandler):
    """Answers each request by the next step of a script, the last one for all that follow."""

    script: ClassVar[Script] = []
    asked: ClassVar[list[dict[str, Any]]] = []
    here: ClassVar[Flag] = Flag()
    gone: ClassVar[Flag] = Flag()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append({"headers": dict(self.headers), "body": json.loads(body)})
        (self.script.pop(0) if len(self.script) > 1 else self.script[0])(self)

    def head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""


def stream(*chunks: dict[str, Any], done: bool = True) -> Callable[[Told], None]:
    def say(told: Told) -> None:
        told.head(200)
        for chunk in chunks:
            told.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        told.wfile.write(b"data: [DONE]\n\n" if done else b"")

    return say


def refuse(status: int, message: str = "No.", **headers: str) -> Callable[[Told], None]:
    def say(told: Told) -> None:
        told.head(status, **headers)
        told.wfile.write(json.dumps({"error": {"message": message}}).encode())

    return say


def silent(told: Told) -> None:
    """Notes that it was asked, says nothing until the other side has hung up, and notes that too."""
    Told.here.set()
    told.connection.settimeout(30)
    if not told.connection.recv(1):
        Told.gone.set()


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    Told.asked, Told.here, Told.gone = [], Flag(), Flag()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def runner(port: int, monkeypatch: pytest.MonkeyPatch) -> EndpointRunner:
    monkeypatch.setattr(EndpointRunner, "pause", 0.01)
    endpoint = Endpoint(url=f"http://127.0.0.1:{port}", model="big", timeout_s=60, key_env="K")
    return EndpointRunner(Remote("far@1", endpoint, lambda: "secret-4711", HERE))


def run(runner: EndpointRunner, *script: Callable[[Told], None], stop: Flag | None = None) -> Result:
    Told.script = list(script)
    said = (Message(role="user", content="Hello!"),)
    asked = Request(model="far@1", messages=said, options=TextOptions())
    return Result.of(runner.run(asked, stop or Flag()))


def test_it_is_asked_again_until_it_has_begun(runner: EndpointRunner):
    found = run(runner, refuse(503), refuse(429, Retry_After="0"), stream(word("Hi"), word("!"), END))
    assert (found.text, found.finished.finish_reasons, len(Told.asked)) == ("Hi!", ("stop",), 3)
    assert found.finished.usage.completion_tokens == 2
    assert Told.asked[0]["headers"]["Authorization"] == "Bearer secret-4711"
    assert Told.asked[0]["body"]["model"] == "big"


def test_what_has_begun_is_not_asked_again(runner: EndpointRunner):
    with pytest.raises(EndpointUnavailable, match="in mid-answer"):
        run(runner, stream(word("Hi"), done=False))
    assert len(Told.asked) == 1


@pytest.mark.parametrize(
    ("step", "error", "said"),
    [
        (refuse(400, "too long, says secret-4711"), InvalidRequest, "too long, says …"),
        (refuse(401, "bad key secret-4711"), ModelFailed, "the key in K is wrong"),
        (refuse(302, Location="http://169.254.169.254/"), ModelFailed, "leads elsewhere"),
        (refuse(404), ModelFailed, "base URL"),
        (refuse(429, Retry_After="60"), EndpointUnavailable, "429"),
        (stream(word("Hi"), {"error": {"message": "out of memory"}}), ModelFailed, "out of memory"),
        (stream({"choices": [1]}), ModelFailed, "shape of OpenAI"),
    ],
)
def test_what_goes_wrong_is_told_in_a_sentence(
    runner: EndpointRunner, step: Callable[[Told], None], error: type[InferenceChatError], said: str
):
    with pytest.raises(error) as caught:
        run(runner, step)
    assert said in caught.value.detail
    assert "4711" not in caught.value.detail
    assert len(Told.asked) == 1


def test_silence_is_told_and_not_asked_again(runner: EndpointRunner):
    hurried = runner.remote.endpoint.model_copy(update={"timeout_s": 0.3})
    runner.remote = replace(runner.remote, endpoint=hurried)
    with pytest.raises(DeadlinePassed, match=r"said nothing for 0\.3 s"):
        run(runner, silent)
    assert Told.here.wait(30)
    assert len(Told.asked) == 1


def test_a_stop_before_the_first_word_hangs_up_at_once(runner: EndpointRunner):
    assert run(runner, silent, stop=Told.here).finished.finish_reasons == ("cancelled",)
    assert Told.gone.wait(30)


def test_a_run_that_is_given_up_hangs_up(runner: EndpointRunner):
    Told.script = [silent]
    said = (Message(role="user", content="Hello!"),)
    steps = runner.run(Request(model="far@1", messages=said, options=TextOptions()), Flag())
    next(_ for _ in steps if Told.here.is_set())
    steps.close()  # type: ignore[attr-defined]
    assert Told.gone.wait(30)


def test_tools_are_called_in_pieces(runner: EndpointRunner):
    def call(**function: str) -> dict[str, Any]:
        return {
            "choices": [
                {"index": 0, "delta": {"tool_calls": [{"index": 0, "function": function, "id": "a"}]}}
            ]
        }

    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    found = run(runner, stream(call(name="add", arguments='{"a":'), call(arguments=" 1}"), last))
    assert found.finished.finish_reasons == ("tool_calls",)
    assert found.tool_calls[0][0].function.arguments == '{"a": 1}'


def test_a_key_goes_over_a_public_network_only_when_encrypted():
    endpoint = Endpoint(url="http://api.test/v1", model="big", key_env="K")
    remote = Remote("far@1", endpoint, lambda: "secret", resolve=lambda host, port: ["93.184.215.14"])
    with pytest.raises(Forbidden, match="https only"):
        run(EndpointRunner(remote), silent)


def test_the_breaker_opens_rests_and_lets_one_try():
    now = [0.0]
    breaker = Breaker("far@1", lambda: now[0])
    for _ in range(FAILURES):
        breaker.check()
        breaker.bad()
    with pytest.raises(EndpointUnavailable, match="times in a row"):
        breaker.check()
    now[0] += REST + 1
    breaker.check()
    with pytest.raises(EndpointUnavailable):
        breaker.check()
    breaker.good()
    breaker.check()


def test_one_that_tries_and_is_refused_closes_the_breaker(runner: EndpointRunner):
    runner._breaker = Breaker("far@1", lambda: now[0])
    now = [0.0]
    for _ in range(FAILURES):
        runner._breaker.bad()
    now[0] += REST + 1
    with pytest.raises(InvalidRequest):
        run(runner, refuse(400))
    assert run(runner, stream(word("Hi"), END)).text == "Hi"


def test_words_come_while_the_rest_is_not_there_yet(runner: EndpointRunner):
    second = Flag()

    def slowly(told: Told) -> None:
        told.head(200)
        told.wfile.write(f"data: {json.dumps(word('Hi'))}\n\n".encode())
        assert second.wait(30)
        told.wfile.write(f"data: {json.dumps(END)}\n\n".encode())

    Told.script = [slowly]
    said = (Message(role="user", content="Hello!"),)
    events: list[Event] = []
    for event in runner.run(Request(model="far@1", messages=said, options=TextOptions()), Flag()):
        if isinstance(event, TextDelta):
            second.set()
        events.append(event)
    assert isinstance(events[-1], Finished)
